terraform {
  required_version = ">= 1.9, < 2"

  # The bucket and prefix come from `terraform init -backend-config=…` (../README.md).
  backend "gcs" {}

  required_providers {
    google = {
      source  = "hashicorp/google"
      version = ">= 6.50, < 8"
    }
  }
}

provider "google" {
  project        = var.project
  region         = var.region
  default_labels = local.labels
}
