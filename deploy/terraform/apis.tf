# Every API that the deployment uses. None is switched off on destroy: others in the project may use it.

locals {
  apis = concat(
    [
      "artifactregistry.googleapis.com",
      "bigquery.googleapis.com",
      "bigquerystorage.googleapis.com",
      "cloudscheduler.googleapis.com",
      "iam.googleapis.com",
      "iamcredentials.googleapis.com", # people borrow the jobs' accounts (docs/run-from-a-laptop.md)
      "logging.googleapis.com",
      "monitoring.googleapis.com",
      "run.googleapis.com",
      "storage.googleapis.com",
    ],
    length(local.secrets) > 0 || var.mlflow != null ? ["secretmanager.googleapis.com"] : [],
    var.budget == null ? [] : ["billingbudgets.googleapis.com"],
    var.cloud_build ? ["cloudbuild.googleapis.com"] : [],
    var.github == null ? [] : ["sts.googleapis.com"],
  )
}

resource "google_project_service" "api" {
  for_each = toset(local.apis)

  project            = var.project
  service            = each.key
  disable_on_destroy = false
}
