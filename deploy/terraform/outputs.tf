# What people need afterwards; `terraform output` prints it, `terraform output -json` for programs.

locals {
  labels = merge({ app = "shelfcast", deployment = var.name }, var.labels)

  # As python_jobs/report/marts.py names them; a test compares.
  pages = ["overview", "worst_series", "series_periods", "value_added", "intervals", "runs", "alerts", "retraining"]

  looker_links = {
    for page in local.pages : page => join("", [
      "https://lookerstudio.google.com/reporting/create?",
      var.looker_template == "" ? "" : "c.reportId=${urlencode(var.looker_template)}&",
      "c.mode=edit",
      join("", [for key, value in {
        connector      = "bigQuery"
        type           = "TABLE"
        projectId      = var.project
        datasetId      = "${var.dataset}_marts"
        tableId        = "report_${page}"
        datasourceName = "report_${page}"
      } : "&ds.${var.looker_template == "" ? "" : "${page}."}${key}=${urlencode(value)}"]),
    ])
  }

  log_base    = "resource.type=\"cloud_run_job\" AND resource.labels.job_name=~\"${local.job_pattern}\""
  log_address = "https://console.cloud.google.com/logs/query;query="
  log_queries = {
    "one run"              = "${local.log_base} AND jsonPayload.run_id=\"RUN_ID\""
    "one series"           = "${local.log_base} AND jsonPayload.message:\"SERIES_ID\""
    "warnings and errors"  = "${local.log_base} AND severity>=WARNING"
    "accuracy alerts"      = "${local.log_base} AND jsonPayload.event=\"accuracy_alert\""
    "steps and seconds"    = "${local.log_base} AND jsonPayload.event=\"step_ended\""
    "what was not started" = "resource.type=\"cloud_scheduler_job\" AND severity>=ERROR"
  }
}

output "buckets" {
  description = "What lies where in Cloud Storage."
  value = {
    models  = "gs://${local.models_bucket}"
    staging = "gs://${local.staging_bucket}"
    inbox   = "gs://${local.staging_bucket}/inbox"
  }
}

output "datasets" {
  description = "The datasets and what each is for."
  value = merge(
    { for key, text in local.datasets : "${var.project}.${var.dataset}_${key}" => text },
    { for name in local.published_datasets : "${var.project}.${name}" => "Marts that the settings publish." },
    { "${var.project}.${local.snapshots_dataset}" = google_bigquery_dataset.snapshots.description },
  )
}

output "image_name" {
  description = "The image's name, without tag or digest."
  value       = local.image_name
}

output "jobs" {
  description = "Each job: what it runs, as whom, when."
  value = { for name, job in local.enabled_jobs : name => {
    runs     = join(" ", concat(["shelfcast"], job.args))
    use_case = job.use_case
    as       = local.emails[job.account]
    when     = job.cron == "" ? "by hand" : "${job.cron} (${job.time_zone})${var.schedules_enabled ? "" : ", paused"}"
    size     = "${job.tasks} x ${job.cpu} vCPU, ${job.memory_gib} GiB, ${job.timeout_s} s, ${job.retries} retries"
  } }
}

output "commands" {
  description = "What starts each job by hand."
  value = { for name, job in local.enabled_jobs : name => join(" ", concat(
    ["gcloud run jobs execute ${name} --project ${var.project} --region ${var.region} --wait"],
    # ^@^ makes @ the delimiter between variables, so that commas stay in the value.
    job.stage == "retrain" ? ["--update-env-vars '^@^TARGET_COMBINATIONS=N1|retail|A17,N2|*|B3'"] : [],
  )) }
}

output "move_image" {
  description = "Moves every job to an image: the newest, or an earlier one to roll back. Set IMAGE to NAME@sha256:…. The tag `live` keeps it from the clean-up."
  value = join("\n", concat(
    ["gcloud artifacts docker tags add \"$IMAGE\" ${local.image_name}:live --project ${var.project}"],
    [for name in local.job_names :
      "gcloud run jobs update ${name} --project ${var.project} --region ${var.region} --image \"$IMAGE\""
    ],
  ))
}

output "laptop_environment" {
  description = "The variables with which `shelfcast` works on this deployment from any machine (docs/run-from-a-laptop.md)."
  value       = join("\n", [for name, value in local.job_environment : "export ${name}='${replace(value, "'", "'\\''")}'" if name != "SHELFCAST_LOADING"])
}

output "looker_links" {
  description = "A link a page: opens a new Looker Studio report over the page's mart, which holds all use cases (docs/looker.md)."
  value       = local.looker_links
}

output "log_queries" {
  description = "Queries for the Logs Explorer; put your RUN_ID or SERIES_ID in."
  # A space of a form (+) is a plus in a path.
  value = { for title, query in local.log_queries : title => "${local.log_address}${replace(urlencode(query), "+", "%20")}?project=${var.project}" }
}

output "alerts" {
  description = "Each alert and its page of the runbook."
  value       = local.runbook_links
}

output "principals" {
  description = "Every principal, exactly what it may do, on what, and why. The grants are made of these lines."
  value = [
    for grant in concat(
      [for one in local.project_granted : merge(one, { on = "project ${var.project}" })],
      [for one in local.dataset_granted : { member = one.member, role = one.role, why = one.why, on = "dataset ${one.dataset}" }],
      [for one in local.source_granted : { member = one.member, role = one.role, why = one.why, on = "dataset ${one.project}.${one.dataset}" }],
      [for one in local.bucket_grants : {
        member = one.member, role = one.role, why = one.why
        on     = "bucket ${one.bucket == "models" ? local.models_bucket : local.staging_bucket}${one.condition == null ? "" : ", ${one.condition.title}"}"
      }],
      [for one in local.job_granted : { member = one.member, role = one.role, why = one.why, on = "job ${one.job}" }],
      [for one in local.secret_grants : { member = one.member, role = one.role, why = one.why, on = "secret ${one.secret}" }],
      [for one in local.repository_grants : { member = one.member, role = one.role, why = one.why, on = "repository of the image" }],
      [for one in local.mlflow_grants : { member = one.member, role = one.role, why = one.why, on = one.on }],
      [for one in local.account_grants : { member = one.member, role = one.role, why = one.why, on = "account ${local.emails[one.account]}" }],
    ) : { who = grant.member, may = grant.role, on = grant.on, why = grant.why }
  ]
}
