# What builds and deploys from outside, without a key: for the workflow of one repository and one branch, or
# for Cloud Build. Two accounts, because a build runs without a reviewer: the builder pushes images and can
# touch no job; the deployer moves the jobs, from the environment `production`, which asks for a reviewer.

locals {
  has_delivery = var.github != null || var.cloud_build

  delivery = {
    builder  = { environment = "image", does = "Pushes the image." }
    deployer = { environment = "production", does = "Moves the jobs to an image." }
  }

  delivery_emails  = { for name in keys(local.delivery) : name => "${var.name}-${name}@${var.project}.iam.gserviceaccount.com" }
  builder_member   = "serviceAccount:${local.delivery_emails.builder}"
  deployer_member  = "serviceAccount:${local.delivery_emails.deployer}"
  delivery_members = local.has_delivery ? [local.builder_member, local.deployer_member] : []
  delivery_callers = join(" and ", compact([try("the workflow of ${var.github.repository}", ""), var.cloud_build ? "Cloud Build" : ""]))
}

resource "google_service_account" "delivery" {
  for_each = { for name, one in local.delivery : name => one if local.has_delivery }

  project      = var.project
  account_id   = "${var.name}-${each.key}"
  display_name = "Shelfcast ${each.key}"
  description  = "${each.value.does} For ${local.delivery_callers}."

  depends_on = [google_project_service.api]
}

moved {
  from = google_service_account.deployer[0]
  to   = google_service_account.delivery["deployer"]
}

resource "google_iam_workload_identity_pool" "github" {
  count = var.github == null ? 0 : 1

  project                   = var.project
  workload_identity_pool_id = "${var.name}-github"
  display_name              = "GitHub"

  depends_on = [google_project_service.api]
}

resource "google_iam_workload_identity_pool_provider" "github" {
  count = var.github == null ? 0 : 1

  project                            = var.project
  workload_identity_pool_id          = google_iam_workload_identity_pool.github[0].workload_identity_pool_id
  workload_identity_pool_provider_id = "github"
  display_name                       = "GitHub Actions"

  attribute_mapping = {
    "google.subject"          = "assertion.sub"
    "attribute.repository_id" = "assertion.repository_id"
    "attribute.ref"           = "assertion.ref"
    "attribute.environment"   = "has(assertion.environment) ? assertion.environment : \"\""
  }

  # By number: a name that was given up can be registered by somebody else.
  attribute_condition = "assertion.repository_id == \"${var.github.repository_id}\" && assertion.ref == \"refs/heads/${var.github.branch}\""

  oidc {
    issuer_uri = "https://token.actions.githubusercontent.com"
  }
}

resource "google_service_account_iam_member" "github" {
  for_each = { for name, one in local.delivery : name => one if var.github != null }

  service_account_id = google_service_account.delivery[each.key].name
  role               = "roles/iam.workloadIdentityUser"
  member             = "principalSet://iam.googleapis.com/${google_iam_workload_identity_pool.github[0].name}/attribute.environment/${each.value.environment}"
}
