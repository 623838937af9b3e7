# An MLflow server, off by default: it scales to zero, its database does not.

locals {
  mlflow_email = "${var.name}-mlflow@${var.project}.iam.gserviceaccount.com"
  mlflow_users = var.mlflow == null ? toset([]) : setunion(var.operators, var.analysts)

  # For the output `principals`; the grants themselves stand below.
  mlflow_grants = var.mlflow == null ? [] : concat(
    [
      {
        member = "serviceAccount:${local.mlflow_email}", role = "roles/secretmanager.secretAccessor"
        on     = "secret ${var.mlflow.database_secret}", why = "reaches its database"
      },
      {
        member = "serviceAccount:${local.mlflow_email}", role = "roles/storage.objectUser"
        on     = "bucket ${local.models_bucket}, mlflow-only", why = "keeps artifacts; models that forecast are none of its business"
      },
    ],
    [for member in local.mlflow_users : {
      member = member, role = "roles/run.invoker", on = "service ${var.name}-mlflow", why = "opens the server"
    }],
  )
}

resource "google_service_account" "mlflow" {
  count = var.mlflow == null ? 0 : 1

  project      = var.project
  account_id   = "${var.name}-mlflow"
  display_name = "Shelfcast MLflow"
  description  = "Serves experiments; reads and writes the artifacts' folder of the models bucket."
}

resource "google_secret_manager_secret_iam_member" "mlflow" {
  count = var.mlflow == null ? 0 : 1

  project   = var.project
  secret_id = var.mlflow.database_secret
  role      = "roles/secretmanager.secretAccessor"
  member    = "serviceAccount:${local.mlflow_email}"

  depends_on = [google_service_account.mlflow]
}

resource "google_storage_bucket_iam_member" "mlflow" {
  count = var.mlflow == null ? 0 : 1

  bucket = google_storage_bucket.models.name
  role   = "roles/storage.objectUser"
  member = "serviceAccount:${local.mlflow_email}"

  condition {
    title       = "mlflow-only"
    description = "Models that forecast are none of its business."
    expression  = "resource.name.startsWith(\"projects/_/buckets/${local.models_bucket}/objects/mlflow/\")"
  }

  depends_on = [google_service_account.mlflow]
}

resource "google_cloud_run_v2_service" "mlflow" {
  count = var.mlflow == null ? 0 : 1

  project             = var.project
  location            = var.region
  name                = "${var.name}-mlflow"
  ingress             = "INGRESS_TRAFFIC_ALL" # callers are authenticated by IAM
  deletion_protection = false
  labels              = local.labels

  template {
    service_account = google_service_account.mlflow[0].email

    scaling {
      min_instance_count = 0
      max_instance_count = 1
    }

    containers {
      image   = var.mlflow.image
      command = ["mlflow"]
      args    = ["server", "--host", "0.0.0.0", "--port", "8080", "--artifacts-destination", "gs://${local.models_bucket}/mlflow"]

      ports {
        container_port = 8080
      }

      resources {
        limits = { cpu = "1", memory = "2Gi" }
      }

      env {
        name = "MLFLOW_BACKEND_STORE_URI"
        value_source {
          secret_key_ref {
            secret  = var.mlflow.database_secret
            version = var.mlflow.database_secret_version
          }
        }
      }
    }
  }

  depends_on = [google_project_service.api, google_secret_manager_secret_iam_member.mlflow]
}

resource "google_cloud_run_v2_service_iam_member" "mlflow" {
  for_each = local.mlflow_users

  project  = var.project
  location = var.region
  name     = google_cloud_run_v2_service.mlflow[0].name
  role     = "roles/run.invoker"
  member   = each.key
}
