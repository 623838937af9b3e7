terraform {
  required_version = ">= 1.9, < 2"

  # The bucket and prefix come from `terraform init -backend-config=…` (../README.md).
  backend "gcs" {}

  required_providers {
    # The major that the tests know the schema of; .terraform.lock.hcl pins the rest (`make pin-provider`).
    google = {
      source  = "hashicorp/google"
      version = ">= 6.50, < 7"
    }
  }
}

provider "google" {
  project        = var.project
  region         = var.region
  default_labels = local.labels
}

# The Billing Budgets API refuses a person's own credentials unless a project is named whose quota pays.
provider "google" {
  alias                 = "billing"
  project               = var.project
  region                = var.region
  user_project_override = true
  billing_project       = var.project
}
