# The image's repository. Tags cannot move; untagged images go after two weeks, the last ten stay.

resource "google_artifact_registry_repository" "images" {
  project                = var.project
  location               = var.region
  repository_id          = coalesce(var.repository, var.name)
  description            = "The Shelfcast image"
  format                 = "DOCKER"
  cleanup_policy_dry_run = false

  docker_config {
    immutable_tags = true
  }

  cleanup_policies {
    id     = "keep-the-last-ten"
    action = "KEEP"

    most_recent_versions {
      keep_count = 10
    }
  }

  cleanup_policies {
    id     = "delete-old-untagged"
    action = "DELETE"

    condition {
      tag_state  = "UNTAGGED"
      older_than = "1209600s"
    }
  }

  depends_on = [google_project_service.api]
}

locals {
  image_name = "${var.region}-docker.pkg.dev/${var.project}/${coalesce(var.repository, var.name)}/shelfcast"
}
