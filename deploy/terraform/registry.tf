# The image's repository. Images go after a month; the last ten stay, and the one that the jobs run (`live`).
# Tags may move, because a repository of immutable tags deletes no tagged image, and every image has one:
# what runs is named by digest, so that a tag that moves changes no job.

resource "google_artifact_registry_repository" "images" {
  project                = var.project
  location               = var.region
  repository_id          = coalesce(var.repository, var.name)
  description            = "The Shelfcast image"
  format                 = "DOCKER"
  cleanup_policy_dry_run = false

  docker_config {
    immutable_tags = false
  }

  cleanup_policies {
    id     = "keep-the-last-ten"
    action = "KEEP"

    most_recent_versions {
      keep_count = 10
    }
  }

  cleanup_policies {
    id     = "keep-what-runs"
    action = "KEEP"

    condition {
      tag_state    = "TAGGED"
      tag_prefixes = ["live"]
    }
  }

  cleanup_policies {
    id     = "delete-after-a-month"
    action = "DELETE"

    condition {
      tag_state  = "ANY"
      older_than = "2592000s"
    }
  }

  depends_on = [google_project_service.api]
}

locals {
  image_name = "${var.region}-docker.pkg.dev/${var.project}/${coalesce(var.repository, var.name)}/shelfcast"
}
