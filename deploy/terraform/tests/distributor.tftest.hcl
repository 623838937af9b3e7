# The example as it would be applied: `terraform test -var-file=examples/distributor.tfvars`.

mock_provider "google" {}

mock_provider "google" {
  alias = "billing"
}

run "deployment" {
  command = plan

  assert {
    condition     = toset(keys(google_cloud_run_v2_job.job)) == toset(["predict-weekly", "monitor-performance", "retrain-models", "train-models", "load-plans", "check-runs"])
    error_message = "The jobs are not those of the distributor: ${join(", ", keys(google_cloud_run_v2_job.job))}."
  }

  assert {
    condition     = alltrue([for job in google_cloud_run_v2_job.job : job.location == "asia-south1" && job.project == "distributor-forecasting"])
    error_message = "A job is in another region or project."
  }

  assert {
    condition     = toset(keys(google_bigquery_dataset.dataset)) == toset(["raw", "logs", "staging", "features", "forecasts", "metrics", "marts"]) && google_bigquery_dataset.dataset["raw"].dataset_id == "rich_raw"
    error_message = "The datasets are not rich_raw to rich_marts."
  }

  assert {
    condition     = alltrue([for one in google_bigquery_dataset.dataset : one.location == "asia-south1" && one.delete_contents_on_destroy == false])
    error_message = "A dataset is elsewhere, or a destroy would take its tables along."
  }

  assert {
    condition     = keys(google_bigquery_dataset.published) == ["rich"]
    error_message = "The marts are not published in `rich`."
  }

  assert {
    condition     = google_storage_bucket.models.name == "distributor-forecasting-models" && google_storage_bucket.staging.name == "distributor-forecasting-staging"
    error_message = "The buckets have other names."
  }

  assert {
    condition     = google_artifact_registry_repository.images.repository_id == "forecasting"
    error_message = "The image's repository has another name."
  }

  assert {
    condition = alltrue([
      [for one in google_artifact_registry_repository.images.cleanup_policies : one.condition[0].tag_state if one.action == "DELETE"] == ["ANY"],
      google_artifact_registry_repository.images.docker_config[0].immutable_tags == false,
      google_artifact_registry_repository.images.cleanup_policy_dry_run == false,
    ])
    error_message = "The clean-up deletes nothing: every image has a tag."
  }

  assert {
    condition = alltrue([
      one(flatten([for one in google_artifact_registry_repository.images.cleanup_policies : one.condition[0].tag_prefixes if one.id == "keep-what-runs"])) == "live",
      strcontains(output.move_image, "tags add \"$IMAGE\" asia-south1-docker.pkg.dev/distributor-forecasting/forecasting/shelfcast:live"),
    ])
    error_message = "The clean-up may delete the image that the jobs run."
  }

  assert {
    condition     = google_service_account.account["runner"].account_id == "shelfcast-runner"
    error_message = "The runner's account has another name."
  }

  assert {
    condition     = length(google_billing_budget.month) == 0 && length(google_cloud_run_v2_service.mlflow) == 0 && length(google_service_account.delivery) == 0
    error_message = "Something that costs while idle, or that nobody asked for, is on by default."
  }
}

run "schedules" {
  command = plan

  assert {
    condition     = google_cloud_scheduler_job.schedule["predict-weekly"].schedule == "0 22 * * 3"
    error_message = "The forecast is not issued on Wednesdays at 22:00."
  }

  assert {
    condition     = google_cloud_scheduler_job.schedule["monitor-performance"].schedule == "0 0 * * 5"
    error_message = "Monitoring is not on Fridays at 00:00."
  }

  assert {
    condition     = toset(keys(google_cloud_scheduler_job.schedule)) == toset(["predict-weekly", "monitor-performance", "load-plans", "check-runs"])
    error_message = "Other jobs than those have a schedule: a retraining is started by people."
  }

  assert {
    condition     = alltrue([for one in google_cloud_scheduler_job.schedule : one.time_zone == "Europe/Moscow" && one.paused])
    error_message = "A schedule has another time zone, or is not made paused."
  }

  assert {
    condition = alltrue([
      google_cloud_scheduler_job.snapshots.schedule == "0 2 * * *" && google_cloud_scheduler_job.snapshots.paused,
      strcontains(jsondecode(base64decode(google_cloud_scheduler_job.snapshots.http_target[0].body)).query, "interval 30 day"),
      jsondecode(base64decode(google_cloud_scheduler_job.snapshots.http_target[0].body)).location == "asia-south1",
      endswith(google_cloud_scheduler_job.snapshots.http_target[0].uri, "/projects/distributor-forecasting/queries"),
    ])
    error_message = "The logs are not copied each night, or are copied elsewhere."
  }

  assert {
    condition     = alltrue([for one in google_monitoring_alert_policy.not_started.conditions : strcontains(one.condition_matched_log[0].filter, "|snapshots)$")])
    error_message = "Nobody hears of a snapshot that fails."
  }

  assert {
    condition     = google_cloud_scheduler_job.schedule["predict-weekly"].http_target[0].uri == "https://run.googleapis.com/v2/projects/distributor-forecasting/locations/asia-south1/jobs/predict-weekly:run"
    error_message = "The schedule calls something else."
  }

  assert {
    condition     = alltrue([for one in google_cloud_scheduler_job.schedule : length(one.http_target[0].oauth_token) == 1 && length(one.http_target[0].oidc_token) == 0 && one.retry_config[0].retry_count <= 3])
    error_message = "A Google API wants an OAuth token; a call only starts a job and is retried a few times."
  }
}

run "identities" {
  command = apply

  assert {
    condition     = alltrue([for name, job in google_cloud_run_v2_job.job : job.template[0].template[0].service_account != ""])
    error_message = "A job runs as the project's default account."
  }

  # What the runner may do: start the scheduled jobs, and nothing else anywhere.
  assert {
    condition = (
      toset([for one in google_cloud_run_v2_job_iam_member.grant : one.name if strcontains(one.member, "shelfcast-runner@")])
      == toset(["predict-weekly", "monitor-performance", "load-plans", "check-runs"])
      && alltrue([for one in google_cloud_run_v2_job_iam_member.grant : one.role == "roles/run.invoker" if strcontains(one.member, "shelfcast-runner@")])
    )
    error_message = "The runner may start other jobs than the scheduled ones, or may override."
  }

  assert {
    condition = length([
      for one in concat(
        values(google_project_iam_member.grant)[*].member,
        values(google_bigquery_dataset_iam_member.grant)[*].member,
        values(google_storage_bucket_iam_member.grant)[*].member,
      ) : one if strcontains(one, "shelfcast-runner@")
    ]) == 0
    error_message = "The runner may do more than start jobs."
  }

  # Overrides can replace what a container does: operators only, and only where a stage asks for it.
  assert {
    condition = toset([
      for one in google_cloud_run_v2_job_iam_member.grant : "${one.member} ${one.name}" if one.role == "roles/run.jobsExecutorWithOverrides"
      ]) == toset([
      "group:forecast-operators@distributor.example retrain-models",
      "group:forecast-operators@distributor.example train-models",
    ])
    error_message = "Others than the operators, or other jobs than retraining and training, take overrides."
  }

  assert {
    condition     = length([for one in google_bigquery_dataset_iam_member.grant : one if one.dataset_id == "rich_raw" && one.role != "roles/bigquery.dataViewer" && !strcontains(one.member, "shelfcast-load@")]) == 0
    error_message = "Somebody but the loader may write rich_raw."
  }

  assert {
    condition     = length([for one in google_bigquery_dataset_iam_member.grant : one if one.dataset_id == "rich_logs" && endswith(one.role, "/roles/shelfcast_log_appender") && strcontains(one.member, "shelfcast-predict@")]) == 1
    error_message = "The predict account cannot append to rich_logs."
  }

  assert {
    condition = alltrue([
      toset([for one in google_bigquery_dataset_iam_member.grant : one.member if one.dataset_id == "rich_snapshots" && one.role == "roles/bigquery.dataEditor"]) == toset(["serviceAccount:shelfcast-keeper@distributor-forecasting.iam.gserviceaccount.com"]),
      length([for one in google_bigquery_dataset_iam_member.grant : one if one.dataset_id == "rich_logs" && contains(["roles/bigquery.dataEditor", "roles/bigquery.dataOwner"], one.role)]) == 0,
    ])
    error_message = "Somebody may drop or alter the logs, or write the copies of them."
  }

  assert {
    condition = length([
      for one in google_project_iam_custom_role.log_appender.permissions : one if strcontains(one, "delete") || endswith(one, ".update")
    ]) == 0 && contains(google_project_iam_custom_role.log_appender.permissions, "bigquery.tables.updateData")
    error_message = "Who appends to the logs may drop or alter them, or cannot append."
  }

  assert {
    condition     = alltrue([for one in google_storage_bucket_iam_member.grant : try(one.condition[0].expression, "") == "resource.name.startsWith(\"projects/_/buckets/distributor-forecasting-staging/objects/inbox/\")" if one.member == "group:planners@distributor.example"])
    error_message = "Uploaders may write beside the inbox: weather that is believed, or sources of builds."
  }

  assert {
    condition     = toset([for one in google_bigquery_dataset_iam_member.grant : one.dataset_id if one.member == "group:planners@distributor.example"]) == toset(["rich", "rich_marts"])
    error_message = "Planners read other datasets than the marts."
  }

  assert {
    condition = alltrue([
      for one in google_project_iam_member.grant : contains([
        "roles/bigquery.jobUser", "roles/bigquery.readSessionUser", "roles/logging.viewer", "roles/monitoring.viewer",
        "roles/run.viewer", "roles/cloudscheduler.viewer",
      ], one.role)
    ])
    error_message = "A role on the whole project that belongs on a dataset, a bucket or a job."
  }

  assert {
    condition = alltrue([for member in ["group:planners@distributor.example", "group:analysts@distributor.example"] :
      toset([for one in google_project_iam_member.grant : one.role if one.member == member]) == toset(["roles/bigquery.jobUser", "roles/bigquery.readSessionUser"])
    ])
    error_message = "Somebody may read tables and cannot fetch a result of more than one page."
  }

  assert {
    condition     = toset([for one in google_project_iam_member.grant : one.role if one.member == "group:forecast-operators@distributor.example"]) == toset(["roles/logging.viewer", "roles/monitoring.viewer", "roles/run.viewer", "roles/cloudscheduler.viewer"])
    error_message = "Operators cannot list the executions or the schedules that the runbook asks them to look at."
  }

  assert {
    condition     = contains(keys(google_project_service.api), "iamcredentials.googleapis.com")
    error_message = "Nobody can borrow an account of the jobs: its API is off."
  }

  assert {
    condition     = length([for one in google_storage_bucket_iam_member.grant : one if strcontains(one.member, "shelfcast-monitor@") && one.role == "roles/storage.objectUser" && length(one.condition) == 0]) == 0
    error_message = "Monitoring may replace models."
  }

  assert {
    condition     = length(output.principals) == length(google_project_iam_member.grant) + length(google_bigquery_dataset_iam_member.grant) + length(google_storage_bucket_iam_member.grant) + length(google_cloud_run_v2_job_iam_member.grant)
    error_message = "The table of principals and the grants differ."
  }
}

run "limits" {
  command = plan

  assert {
    condition     = google_cloud_run_v2_job.job["predict-weekly"].template[0].template[0].timeout == "7200s" && google_cloud_run_v2_job.job["predict-weekly"].template[0].template[0].max_retries == 1
    error_message = "The forecast's time or retries are others."
  }

  assert {
    condition     = google_cloud_run_v2_job.job["retrain-models"].template[0].template[0].max_retries == 0
    error_message = "A failed retraining is repeated by itself."
  }

  assert {
    condition     = alltrue([for job in google_cloud_run_v2_job.job : job.template[0].task_count == 1])
    error_message = "A job has more tasks than the 525 series need."
  }

  assert {
    condition     = alltrue([for job in google_cloud_run_v2_job.job : job.template[0].template[0].containers[0].resources[0].limits["cpu"] != null && job.template[0].template[0].containers[0].resources[0].limits["memory"] != null])
    error_message = "A job has no size."
  }

  assert {
    condition     = google_storage_bucket.models.versioning[0].enabled && alltrue([for one in [google_storage_bucket.models, google_storage_bucket.staging] : one.uniform_bucket_level_access && one.public_access_prevention == "enforced" && one.force_destroy == false])
    error_message = "A bucket could be public, or emptied by a destroy, or forgets earlier models."
  }

  assert {
    condition     = anytrue([for rule in google_storage_bucket.staging.lifecycle_rule : one(rule.action).type == "Delete" && one(rule.condition).age == 30])
    error_message = "Files in the staging bucket do not expire."
  }

  assert {
    condition     = alltrue([for one in google_project_service.api : one.disable_on_destroy == false])
    error_message = "A destroy would switch an API off for everybody in the project."
  }

  assert {
    condition     = alltrue([for policy in google_monitoring_alert_policy.event : policy.alert_strategy[0].notification_rate_limit[0].period == "3600s" && length(policy.notification_channels) == 1])
    error_message = "A log-based alert has no rate limit, or tells nobody."
  }

  assert {
    condition     = alltrue([for policy in google_monitoring_alert_policy.event : toset(keys(policy.conditions[0].condition_matched_log[0].label_extractors)) == toset(["job", "run_id"])])
    error_message = "An alert mails once a line and not once a run."
  }
}
