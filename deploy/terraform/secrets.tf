# Secrets without values: a value is added by hand and never stands in Terraform's state.

locals {
  secrets = var.weather_key ? { "weather-key" = "Open-Meteo's customer key, which the loader sends with its requests." } : {}
}

resource "google_secret_manager_secret" "secret" {
  for_each = local.secrets

  project   = var.project
  secret_id = "${var.name}-${each.key}"

  annotations = { purpose = each.value }

  replication {
    user_managed {
      replicas {
        location = var.region
      }
    }
  }

  depends_on = [google_project_service.api]
}
