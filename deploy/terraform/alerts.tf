# Who is called, and when. The jobs say what happens, one JSON line an event (docs/events.md); a log-based
# policy waits for a line. What a job cannot say of itself (killed, out of memory, never started) is
# seen from outside. Every alert has its page in ../runbook.md.

locals {
  log_alerts = {
    run_failed = {
      title = "A run failed", severity = "ERROR", event = "run_failed", fields = {}
    }
    run_overdue = {
      title = "A run is overdue", severity = "ERROR", event = "run_overdue", fields = {}
    }
    accuracy = {
      title = "Accuracy is below the threshold", severity = "WARNING", event = "accuracy_alert", fields = { alert = "wape" }
    }
    bias = {
      title = "Forecasts are biased", severity = "WARNING", event = "accuracy_alert", fields = { alert = "tracking_signal" }
    }
    no_forecast = {
      title = "A series has no forecast", severity = "WARNING", event = "accuracy_alert", fields = { alert = "no_forecast" }
    }
    missing_run = {
      title = "A week was never forecast", severity = "ERROR", event = "accuracy_alert", fields = { alert = "missing_run" }
    }
    models_faulty = {
      title = "Stored models are missing or damaged", severity = "WARNING", event = "models_faulty", fields = {}
    }
    upload_refused = {
      title = "A plan was refused", severity = "WARNING", event = "upload_refused", fields = {}
    }
    weather_not_fetched = {
      title = "The weather was not fetched", severity = "WARNING", event = "weather_not_fetched", fields = {}
    }
  }

  runbook_pages = merge(
    { for name, alert in local.log_alerts : name => alert.title },
    {
      execution_failed = "A job was killed or timed out"
      not_started      = "A schedule could not start its job"
      check_runs_quiet = "The check of the runs is silent"
    },
  )

  # As GitHub makes an anchor of a heading.
  runbook_links = {
    for name, title in local.runbook_pages : name => "${var.runbook_url}#${replace(lower(title), " ", "-")}"
  }

  # All lines of the run, where one mail stands for many. The run's id stands last, so that it can be filled in.
  alert_queries = {
    for name, alert in local.log_alerts : name => join("", [
      local.log_address,
      replace(urlencode("jsonPayload.event=\"${alert.event}\" AND jsonPayload.run_id=\""), "+", "%20"),
      "$${log.extracted_label.run_id}%22?project=${var.project}",
    ])
  }

  job_names   = sort([for name in keys(local.enabled_jobs) : name])
  job_pattern = "^(${join("|", local.job_names)})$"
  channels    = [for channel in google_monitoring_notification_channel.email : channel.id]
}

resource "google_monitoring_notification_channel" "email" {
  for_each = var.notification_emails

  project      = var.project
  display_name = "Shelfcast: ${each.key}"
  type         = "email"
  labels       = { email_address = each.key }

  depends_on = [google_project_service.api]
}

resource "google_monitoring_alert_policy" "event" {
  for_each = { for name, alert in local.log_alerts : name => alert if !contains(var.alerts_left_out, name) }

  project               = var.project
  display_name          = "Shelfcast ${var.name}: ${each.value.title}"
  combiner              = "OR"
  severity              = each.value.severity
  notification_channels = local.channels

  conditions {
    display_name = each.value.title

    condition_matched_log {
      filter = join(" AND ", concat(
        [
          "resource.type=\"cloud_run_job\"",
          "resource.labels.job_name=~\"${local.job_pattern}\"",
          "jsonPayload.event=\"${each.value.event}\"",
        ],
        [for field, value in each.value.fields : "jsonPayload.${field}=\"${value}\""],
      ))

      # Each combination of labels is an incident and a mail of its own: one a run, however many lines it logs.
      label_extractors = {
        job    = "EXTRACT(resource.labels.job_name)"
        run_id = "EXTRACT(jsonPayload.run_id)"
      }
    }
  }

  alert_strategy {
    auto_close = "604800s"

    notification_rate_limit {
      period = "3600s"
    }
  }

  documentation {
    mime_type = "text/markdown"
    subject   = "Shelfcast: ${each.value.title}"
    content   = "Job $${log.extracted_label.job}, run $${log.extracted_label.run_id}. What it logged: ${local.alert_queries[each.key]}\n\nWhat to do: ${local.runbook_links[each.key]}"

    links {
      display_name = "Runbook"
      url          = local.runbook_links[each.key]
    }
  }

  depends_on = [google_project_service.api]
}

# A job that was killed logs nothing: out of memory, over its time, an image that does not start.
resource "google_monitoring_alert_policy" "execution_failed" {
  project               = var.project
  display_name          = "Shelfcast ${var.name}: ${local.runbook_pages.execution_failed}"
  combiner              = "OR"
  severity              = "ERROR"
  notification_channels = local.channels

  conditions {
    display_name = local.runbook_pages.execution_failed

    condition_threshold {
      filter = join(" AND ", [
        "resource.type=\"cloud_run_job\"",
        "resource.labels.job_name=monitoring.regex.full_match(\"${join("|", local.job_names)}\")",
        "metric.type=\"run.googleapis.com/job/completed_execution_count\"",
        "metric.labels.result=\"failed\"",
      ])
      comparison      = "COMPARISON_GT"
      threshold_value = 0
      duration        = "0s"

      aggregations {
        alignment_period     = "300s"
        per_series_aligner   = "ALIGN_DELTA"
        cross_series_reducer = "REDUCE_SUM"
        group_by_fields      = ["resource.label.job_name"]
      }
    }
  }

  alert_strategy {
    auto_close = "604800s"
  }

  documentation {
    mime_type = "text/markdown"
    subject   = "Shelfcast: ${local.runbook_pages.execution_failed}"
    content   = "What to do: ${local.runbook_links.execution_failed}"

    links {
      display_name = "Runbook"
      url          = local.runbook_links.execution_failed
    }
  }

  depends_on = [google_project_service.api]
}

# A schedule whose call was refused: the job is gone, or the runner may not start it.
resource "google_monitoring_alert_policy" "not_started" {
  project               = var.project
  display_name          = "Shelfcast ${var.name}: ${local.runbook_pages.not_started}"
  combiner              = "OR"
  severity              = "ERROR"
  notification_channels = local.channels

  conditions {
    display_name = local.runbook_pages.not_started

    condition_matched_log {
      filter = join(" AND ", [
        "resource.type=\"cloud_scheduler_job\"",
        "resource.labels.job_id=~\"^${var.name}-(${join("|", concat(local.job_names, ["snapshots"]))})$\"",
        "severity>=ERROR",
      ])
      label_extractors = { schedule = "EXTRACT(resource.labels.job_id)" }
    }
  }

  alert_strategy {
    auto_close = "604800s"

    notification_rate_limit {
      period = "3600s"
    }
  }

  documentation {
    mime_type = "text/markdown"
    subject   = "Shelfcast: ${local.runbook_pages.not_started}"
    content   = "Schedule $${log.extracted_label.schedule}. What to do: ${local.runbook_links.not_started}"

    links {
      display_name = "Runbook"
      url          = local.runbook_links.not_started
    }
  }

  depends_on = [google_project_service.api]
}

# Who watches the watcher: an absence may be 23.5 hours long at most, so the check runs every six.
resource "google_monitoring_alert_policy" "check_runs_quiet" {
  project               = var.project
  display_name          = "Shelfcast ${var.name}: ${local.runbook_pages.check_runs_quiet}"
  combiner              = "OR"
  severity              = "ERROR"
  enabled               = var.schedules_enabled
  notification_channels = local.channels

  conditions {
    display_name = local.runbook_pages.check_runs_quiet

    condition_absent {
      filter = join(" AND ", [
        "resource.type=\"cloud_run_job\"",
        "resource.labels.job_name=\"${local.common_stages.check_runs.job}\"",
        "metric.type=\"run.googleapis.com/job/completed_execution_count\"",
        "metric.labels.result=\"succeeded\"",
      ])
      duration = "72000s"

      aggregations {
        alignment_period     = "3600s"
        per_series_aligner   = "ALIGN_DELTA"
        cross_series_reducer = "REDUCE_SUM"
      }
    }
  }

  alert_strategy {
    auto_close = "604800s"
  }

  documentation {
    mime_type = "text/markdown"
    subject   = "Shelfcast: ${local.runbook_pages.check_runs_quiet}"
    content   = "What to do: ${local.runbook_links.check_runs_quiet}"

    links {
      display_name = "Runbook"
      url          = local.runbook_links.check_runs_quiet
    }
  }

  depends_on = [google_project_service.api]
}
