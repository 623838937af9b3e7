# When jobs start. A schedule only starts a job; a job that fails is retried by itself (retries), and one
# that is still running is not disturbed: the second one sees its lease and ends.

resource "google_cloud_scheduler_job" "schedule" {
  for_each = { for name, job in local.jobs : name => job if job.cron != "" }

  project          = var.project
  region           = var.region
  name             = "${var.name}-${each.key}"
  description      = "Starts the job ${each.key}"
  schedule         = each.value.cron
  time_zone        = each.value.time_zone
  attempt_deadline = "180s"
  paused           = !var.schedules_enabled

  http_target {
    http_method = "POST"
    uri         = "https://run.googleapis.com/v2/projects/${var.project}/locations/${var.region}/jobs/${each.key}:run"

    oauth_token {
      service_account_email = google_service_account.account["runner"].email
      scope                 = "https://www.googleapis.com/auth/cloud-platform"
    }
  }

  retry_config {
    retry_count          = 3
    min_backoff_duration = "30s"
    max_backoff_duration = "300s"
  }

  depends_on = [google_cloud_run_v2_job.job]
}
