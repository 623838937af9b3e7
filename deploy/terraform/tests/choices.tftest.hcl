# What a deployment may choose, one at a time, over the example.

mock_provider "google" {}

mock_provider "google" {
  alias = "billing"
}

run "the_first_apply_has_no_image_and_no_job" {
  command = plan

  variables {
    image = null
  }

  assert {
    condition     = length(google_cloud_run_v2_job.job) == 0 && length(google_cloud_scheduler_job.schedule) == 0 && length(google_bigquery_dataset.dataset) == 7
    error_message = "Without an image there is something to run, or nothing to run it on."
  }

  assert {
    condition     = contains(keys(output.jobs), "predict-weekly")
    error_message = "The outputs do not say which jobs there will be."
  }
}

run "schedules_go_live" {
  command = plan

  variables {
    schedules_enabled = true
  }

  assert {
    condition     = alltrue([for one in google_cloud_scheduler_job.schedule : one.paused == false]) && google_monitoring_alert_policy.check_runs_quiet.enabled
    error_message = "A schedule stays paused, or nobody watches the watch."
  }
}

run "a_forecast_at_another_time_in_another_zone" {
  command = plan

  variables {
    time_zone = "Asia/Kolkata"
    use_cases = { sku_weekly = { suffix = "" } }
    settings  = { use_cases = { sku_weekly = { schedule = { weekday = "monday", time = "06:30" } } } }
  }

  assert {
    condition     = google_cloud_scheduler_job.schedule["predict-weekly"].schedule == "30 6 * * 1" && google_cloud_scheduler_job.schedule["predict-weekly"].time_zone == "Asia/Kolkata"
    error_message = "The schedule does not follow the settings."
  }

  assert {
    condition     = jsondecode([for one in google_cloud_run_v2_job.job["predict-weekly"].template[0].template[0].containers[0].env : one.value if one.name == "SHELFCAST_SETTINGS"][0]).use_cases.sku_weekly.time_zone == "Asia/Kolkata"
    error_message = "The settings do not follow the variable."
  }
}

run "settings_are_laid_over_key_by_key" {
  command = plan

  variables {
    settings = { use_cases = { sku_weekly = {
      regressors = { temperature_c = null }
      sources    = { weather = { fetch = { variables = { rain_mm = "rain_sum" } } }, promotions = { no_row_means = "unknown" } }
    } } }
    use_cases = { sku_weekly = { suffix = "" } }
  }

  assert {
    condition = (
      local.settings.use_cases.sku_weekly.sources.promotions.no_row_means == "unknown"
      && local.settings.use_cases.sku_weekly.sources.promotions.columns.promo_share == "1"
      && local.settings.use_cases.sku_weekly.sources.weather.fetch.variables.rain_mm == "rain_sum"
      && local.settings.use_cases.sku_weekly.sources.weather.columns.temperature_c == "temperature_c"
    )
    error_message = "A key of a source replaced the whole source."
  }

  assert {
    condition     = keys(local.settings.use_cases.sku_weekly.regressors) == ["holiday_share", "log_price_ratio", "promo_share"]
    error_message = "Null does not take a key away."
  }
}

run "a_use_case_that_says_its_grain_is_whole" {
  command = plan

  variables {
    settings  = { use_cases = { sku_weekly = { grain = "day", horizon = 7 } } }
    use_cases = { sku_weekly = { suffix = "" } }
  }

  assert {
    condition     = keys(local.settings.use_cases.sku_weekly) == ["grain", "horizon", "schedule", "time_zone"]
    error_message = "The project's use case of the same name shines through."
  }

  assert {
    condition     = google_cloud_scheduler_job.schedule["predict-weekly"].schedule == "0 6 * * *"
    error_message = "A daily use case has the schedule of a weekly one."
  }
}

run "a_forecast_every_day" {
  command = plan

  variables {
    use_cases = { sku_weekly = { suffix = "" } }
    settings  = { use_cases = { sku_weekly = { schedule = { weekday = "daily", time = "05:00" } } } }
  }

  assert {
    condition     = google_cloud_scheduler_job.schedule["predict-weekly"].schedule == "0 5 * * *"
    error_message = "Daily is not every day."
  }

  assert {
    condition     = alltrue([for address in values(output.log_queries) : !strcontains(address, "+")])
    error_message = "A log query's address has a plus where a space should be."
  }
}

run "retraining_by_schedule" {
  command = plan

  variables {
    use_cases = { sku_weekly = { suffix = "", stages = { retrain_candidates = { enabled = true } } } }
  }

  assert {
    condition     = google_cloud_scheduler_job.schedule["retrain-candidates"].schedule == "0 3 * * 6" && google_cloud_run_v2_job.job["retrain-candidates"].template[0].template[0].containers[0].args == tolist(["retrain", "--candidates"])
    error_message = "The candidates are not retrained on Saturdays."
  }

  assert {
    condition     = jsondecode([for one in google_cloud_run_v2_job.job["retrain-candidates"].template[0].template[0].containers[0].env : one.value if one.name == "SHELFCAST_SETTINGS"][0]).use_cases.sku_weekly.retraining.max_series == 50
    error_message = "A retraining by schedule has no cap."
  }
}

run "many_series_are_many_tasks" {
  command = plan

  variables {
    use_cases = { sku_weekly = { suffix = "", stages = { predict = { tasks = 16, parallelism = 8, cpu = 4, memory_gib = 16 }, train = { tasks = 32 } } } }
  }

  assert {
    condition = (
      google_cloud_run_v2_job.job["predict-weekly"].template[0].task_count == 16
      && google_cloud_run_v2_job.job["predict-weekly"].template[0].parallelism == 8
      && google_cloud_run_v2_job.job["predict-weekly"].template[0].template[0].containers[0].resources[0].limits["memory"] == "16Gi"
      && google_cloud_run_v2_job.job["train-models"].template[0].task_count == 32
    )
    error_message = "Tasks or sizes are not those asked for."
  }

  assert {
    condition     = jsondecode(one([for one in google_cloud_run_v2_job.job["monitor-performance"].template[0].template[0].containers[0].env : one.value if one.name == "SHELFCAST_SETTINGS"])).job_size == { vcpu = 4, memory_gib = 16 }
    error_message = "What a forecast costs is reckoned with another size."
  }
}

run "two_use_cases_and_stages_of_their_own" {
  command = plan

  variables {
    use_cases = {
      sku_weekly = { suffix = "" }
      store_dept_weekly = {
        time_zone = "Europe/Berlin"
        stages = {
          predict = { enabled = false }
          before  = { enabled = true }
          middle  = { enabled = true, tasks = 4 }
          after   = { enabled = true }
          tune    = { job = "tune-models", args = ["tune"], account = "train" }
        }
      }
    }
    settings = { use_cases = { store_dept_weekly = { grain = "week", horizon = 8 } } }
  }

  assert {
    condition = toset([for name in keys(google_cloud_run_v2_job.job) : name if endswith(name, "-store-dept-weekly")]) == toset([
      for stage in ["monitor-performance", "retrain-models", "train-models", "weekly-before", "weekly-predict", "weekly-after", "tune-models"] : "${stage}-store-dept-weekly"
    ])
    error_message = "The second use case has other jobs: ${join(", ", keys(google_cloud_run_v2_job.job))}."
  }

  assert {
    condition     = google_cloud_scheduler_job.schedule["monitor-performance-store-dept-weekly"].time_zone == "Europe/Berlin" && google_cloud_scheduler_job.schedule["monitor-performance"].time_zone == "Europe/Moscow"
    error_message = "A use case's schedule does not have its time zone."
  }

  assert {
    condition     = [for one in google_cloud_run_v2_job.job["weekly-predict-store-dept-weekly"].template[0].template[0].containers[0].env : one.value if one.name == "SHELFCAST_USE_CASE"][0] == "store_dept_weekly"
    error_message = "A job works for another use case."
  }
}

run "the_weather_key_waits_for_its_value" {
  command = plan

  variables {
    weather_key = true
    use_cases   = { sku_weekly = { suffix = "", stages = { fetch_weather = { enabled = true } } } }
    settings    = { use_cases = { sku_weekly = { sources = { weather = { fetch = { service = "open_meteo" } } } } } }
  }

  assert {
    condition     = length([for one in google_cloud_run_v2_job.job["fetch-weather"].template[0].template[0].containers[0].env : one if one.name == "SHELFCAST_WEATHER_KEY"]) == 0 && contains(keys(google_secret_manager_secret.secret), "weather-key")
    error_message = "A job waits for a secret that has no value yet, and would not start."
  }
}

run "the_weather_key_goes_to_the_loader_alone" {
  command = plan

  variables {
    weather_key         = true
    weather_key_version = "3"
    use_cases           = { sku_weekly = { suffix = "", stages = { fetch_weather = { enabled = true } } } }
    settings            = { use_cases = { sku_weekly = { sources = { weather = { fetch = { service = "open_meteo" } } } } } }
  }

  assert {
    condition     = toset([for name, job in google_cloud_run_v2_job.job : name if length([for one in job.template[0].template[0].containers[0].env : one if one.name == "SHELFCAST_WEATHER_KEY"]) == 1]) == toset(["fetch-weather"])
    error_message = "Others than the loader have the weather key."
  }

  assert {
    condition     = one([for one in google_cloud_run_v2_job.job["fetch-weather"].template[0].template[0].containers[0].env : one.value_source[0].secret_key_ref[0].version if one.name == "SHELFCAST_WEATHER_KEY"]) == "3"
    error_message = "The key's version is not the one that was named."
  }

  assert {
    condition     = toset([for one in google_secret_manager_secret_iam_member.grant : one.member]) == toset(["serviceAccount:shelfcast-load@distributor-forecasting.iam.gserviceaccount.com"])
    error_message = "Others than the loader may read the weather key."
  }
}

run "a_deployer_without_a_key" {
  command = apply

  variables {
    github = { repository = "distributor/forecasting", repository_id = "123456789" }
  }

  assert {
    condition     = google_iam_workload_identity_pool_provider.github[0].attribute_condition == "assertion.repository_id == \"123456789\" && assertion.ref == \"refs/heads/main\""
    error_message = "Other repositories or branches may deploy."
  }

  assert {
    condition     = toset([for one in google_cloud_run_v2_job_iam_member.grant : one.role if strcontains(one.member, "shelfcast-deployer@")]) == toset(["roles/run.developer"]) && toset([for one in google_project_iam_member.grant : one.role if strcontains(one.member, "shelfcast-deployer@")]) == toset(["roles/run.viewer"])
    error_message = "The deployer may do more than move jobs."
  }

  assert {
    condition = alltrue([for name, environment in { builder = "image", deployer = "production" } :
      endswith(google_service_account_iam_member.github[name].member, "/attribute.environment/${environment}")
    ])
    error_message = "A build without a reviewer may act as the deployer."
  }

  assert {
    condition = toset([for one in output.principals : "${one.may} on ${one.on}" if strcontains(one.who, "shelfcast-builder@")]) == toset([
      "roles/artifactregistry.writer on repository of the image",
    ])
    error_message = "Who builds may do more than push images."
  }
}

run "cloud_build_deploys_and_reads_no_plan" {
  command = apply

  variables {
    cloud_build = true
  }

  assert {
    condition     = contains(keys(google_project_service.api), "cloudbuild.googleapis.com") && length(google_iam_workload_identity_pool.github) == 0
    error_message = "The API is not on, or GitHub may deploy too."
  }

  assert {
    condition = toset([for one in output.principals : "${one.may} on ${one.on}" if strcontains(one.who, "shelfcast-deployer@") && !startswith(one.on, "job ") && !startswith(one.on, "account ")]) == toset([
      "roles/run.viewer on project distributor-forecasting",
      "roles/logging.logWriter on project distributor-forecasting",
      "roles/artifactregistry.writer on repository of the image",
    ])
    error_message = "A deployment may do more, or less, than log, tag the image and move jobs."
  }

  assert {
    condition = toset([for one in output.principals : "${one.may} on ${one.on}" if strcontains(one.who, "shelfcast-builder@")]) == toset([
      "roles/logging.logWriter on project distributor-forecasting",
      "roles/storage.objectViewer on bucket distributor-forecasting-staging, builds-only",
      "roles/artifactregistry.writer on repository of the image",
    ])
    error_message = "A build may do more, or less, than read its source, log and push."
  }

  assert {
    condition     = one([for one in google_storage_bucket_iam_member.grant : one.condition[0].expression if strcontains(one.member, "shelfcast-builder@")]) == "resource.name.startsWith(\"projects/_/buckets/distributor-forecasting-staging/objects/builds/\")"
    error_message = "A build may read the plans."
  }
}

run "a_budget" {
  command = plan

  variables {
    budget              = { billing_account = "012345-6789AB-CDEF01", amount = 50 }
    notification_emails = ["a@b.example", "c@b.example", "d@b.example", "e@b.example", "f@b.example", "g@b.example"]
  }

  override_data {
    target = data.google_project.this[0]
    values = { number = "123456789012" }
  }

  assert {
    condition     = google_billing_budget.month[0].amount[0].specified_amount[0].units == "50" && length(google_billing_budget.month[0].threshold_rules) == 4
    error_message = "The budget is another."
  }

  assert {
    condition     = google_billing_budget.month[0].budget_filter[0].projects == toset(["projects/123456789012"])
    error_message = "The budget names its project by id: each plan would show a change."
  }

  assert {
    condition     = var.budget.currency == null
    error_message = "The budget has a currency that the billing account may not have."
  }

  assert {
    condition     = length(google_billing_budget.month[0].all_updates_rule[0].monitoring_notification_channels) == 5
    error_message = "A budget tells six channels, and may tell five."
  }
}

run "an_mlflow_server_scales_to_zero" {
  command = plan

  variables {
    mlflow = {
      image                   = "asia-south1-docker.pkg.dev/distributor-forecasting/forecasting/mlflow@sha256:0000000000000000000000000000000000000000000000000000000000000000"
      database_secret         = "mlflow-database"
      database_secret_version = "1"
    }
  }

  assert {
    condition     = google_cloud_run_v2_service.mlflow[0].template[0].scaling[0].min_instance_count == 0 && length(google_cloud_run_v2_service_iam_member.mlflow) == 2
    error_message = "The server costs while idle, or is open to others."
  }

  assert {
    condition     = length(google_secret_manager_secret.secret) == 0 && contains(keys(google_project_service.api), "secretmanager.googleapis.com")
    error_message = "The server's secret needs an API that is not on, or the weather's secret hides that."
  }

  assert {
    condition = toset([for one in output.principals : "${one.who} ${one.may} on ${one.on}" if strcontains(one.on, "mlflow") || strcontains(one.who, "mlflow")]) == toset([
      "serviceAccount:shelfcast-mlflow@distributor-forecasting.iam.gserviceaccount.com roles/secretmanager.secretAccessor on secret mlflow-database",
      "serviceAccount:shelfcast-mlflow@distributor-forecasting.iam.gserviceaccount.com roles/storage.objectUser on bucket distributor-forecasting-models, mlflow-only",
      "group:forecast-operators@distributor.example roles/run.invoker on service shelfcast-mlflow",
      "group:analysts@distributor.example roles/run.invoker on service shelfcast-mlflow",
    ])
    error_message = "The list of principals leaves out what the server and its users may do."
  }
}

run "sources_elsewhere_are_only_read" {
  command = plan

  variables {
    source_datasets = [{ project = "distributor-erp", dataset = "sales" }]
  }

  assert {
    condition     = contains([for one in google_bigquery_dataset_iam_member.source : one.member], "group:analysts@distributor.example")
    error_message = "Analysts cannot follow a number to a source elsewhere: its staging view is closed to them."
  }

  assert {
    condition     = length(google_bigquery_dataset_iam_member.source) == 5 && alltrue([for one in google_bigquery_dataset_iam_member.source : one.role == "roles/bigquery.dataViewer"])
    error_message = "The jobs may not read a source, or may write it."
  }
}

run "one_person_is_everything" {
  command = apply

  variables {
    planners        = ["user:one@distributor.example"]
    analysts        = ["user:one@distributor.example"]
    operators       = ["user:one@distributor.example"]
    uploaders       = ["user:one@distributor.example"]
    source_datasets = [{ project = "distributor-erp", dataset = "sales" }]
  }

  assert {
    condition     = length([for one in output.principals : one if one.who == "user:one@distributor.example" && one.on == "dataset rich_marts"]) == 1
    error_message = "A planner who is an analyst reads the marts twice, or not at all."
  }

  assert {
    condition     = one([for one in output.principals : one.why if one.who == "user:one@distributor.example" && one.on == "dataset rich_marts"]) == "reads the marts; follows a number from the mart to its source"
    error_message = "A grant for two reasons does not say both."
  }
}

run "an_alert_that_nobody_wants" {
  command = plan

  variables {
    alerts_left_out = ["bias"]
  }

  assert {
    condition     = !contains(keys(google_monitoring_alert_policy.event), "bias") && contains(keys(google_monitoring_alert_policy.event), "run_failed")
    error_message = "The alert is still made, or others are not."
  }
}
