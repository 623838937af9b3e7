# What deploys from outside: an account without a key, for the workflow of one repository and one branch,
# or for Cloud Build.

locals {
  has_deployer    = var.github != null || var.cloud_build
  deployer_email  = "${var.name}-deployer@${var.project}.iam.gserviceaccount.com"
  deployer_member = "serviceAccount:${local.deployer_email}"
}

resource "google_service_account" "deployer" {
  count = local.has_deployer ? 1 : 0

  project      = var.project
  account_id   = "${var.name}-deployer"
  display_name = "Shelfcast deployer"
  description  = "Pushes the image and moves the jobs to it, for ${join(" and ", compact([try("the workflow of ${var.github.repository}", ""), var.cloud_build ? "Cloud Build" : ""]))}."

  depends_on = [google_project_service.api]
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
    "google.subject"       = "assertion.sub"
    "attribute.repository" = "assertion.repository"
    "attribute.ref"        = "assertion.ref"
  }

  attribute_condition = "assertion.repository == \"${var.github.repository}\" && assertion.ref == \"refs/heads/${var.github.branch}\""

  oidc {
    issuer_uri = "https://token.actions.githubusercontent.com"
  }
}

resource "google_service_account_iam_member" "github" {
  count = var.github == null ? 0 : 1

  service_account_id = google_service_account.deployer[0].name
  role               = "roles/iam.workloadIdentityUser"
  member             = "principalSet://iam.googleapis.com/${google_iam_workload_identity_pool.github[0].name}/attribute.repository/${var.github.repository}"
}
