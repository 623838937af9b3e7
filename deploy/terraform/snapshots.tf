# A copy of every log table each day, kept for `snapshot_days`. Who may append to a log may also delete rows
# by DML (BigQuery has one permission for both), so what was written is kept where no job may write. A
# snapshot costs only the bytes that differ from its table since.

locals {
  snapshots_dataset = "${var.dataset}_snapshots"

  # Refused tables fail the call, and the schedule's alert says so.
  snapshot_script = <<-EOT
    for log in (
        select table_name from `${var.project}.${var.dataset}_logs.INFORMATION_SCHEMA.TABLES` where table_type = 'BASE TABLE'
    ) do
        execute immediate format(
            """
            create snapshot table if not exists `${var.project}.${local.snapshots_dataset}.%s_%s`
            clone `${var.project}.${var.dataset}_logs.%s`
            options (expiration_timestamp = timestamp_add(current_timestamp(), interval ${var.snapshot_days} day))
            """,
            log.table_name, format_date('%Y%m%d', current_date()), log.table_name
        );
    end for;
  EOT
}

resource "google_bigquery_dataset" "snapshots" {
  project                    = var.project
  dataset_id                 = local.snapshots_dataset
  description                = "Daily snapshots of the logs. Only the keeper writes here."
  location                   = coalesce(var.bigquery_location, var.region)
  delete_contents_on_destroy = false

  depends_on = [google_project_service.api]
}

resource "google_cloud_scheduler_job" "snapshots" {
  project          = var.project
  region           = var.region
  name             = "${var.name}-snapshots"
  description      = "Takes a snapshot of every log table"
  schedule         = "0 2 * * *"
  time_zone        = var.time_zone
  attempt_deadline = "180s"
  paused           = !var.schedules_enabled

  http_target {
    http_method = "POST"
    uri         = "https://bigquery.googleapis.com/bigquery/v2/projects/${var.project}/queries"
    headers     = { "Content-Type" = "application/json" }
    body = base64encode(jsonencode({
      query        = local.snapshot_script
      useLegacySql = false
      location     = coalesce(var.bigquery_location, var.region)
      timeoutMs    = 170000
    }))

    oauth_token {
      service_account_email = google_service_account.account["keeper"].email
      scope                 = "https://www.googleapis.com/auth/bigquery"
    }
  }

  retry_config {
    retry_count          = 3
    min_backoff_duration = "30s"
    max_backoff_duration = "300s"
  }

  depends_on = [google_bigquery_dataset.snapshots, google_bigquery_dataset_iam_member.grant]
}
