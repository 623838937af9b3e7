# The jobs: one image, one command, `shelfcast`; the arguments choose the work.

locals {
  # What `run_costs` reckons a second of a job with: the largest of the forecasts' jobs.
  job_size = {
    vcpu       = max(2, [for job in local.enabled_jobs : job.cpu if contains(["predict", "middle"], job.stage)]...)
    memory_gib = max(2, [for job in local.enabled_jobs : job.memory_gib if contains(["predict", "middle"], job.stage)]...)
  }

  job_environment = {
    SHELFCAST_TARGET               = "prod"
    SHELFCAST_PROJECT              = var.project
    SHELFCAST_LOCATION             = coalesce(var.bigquery_location, var.region)
    SHELFCAST_DATASET              = var.dataset
    SHELFCAST_MODELS_URI           = "gs://${local.models_bucket}"
    SHELFCAST_SETTINGS             = jsonencode(merge({ job_size = local.job_size }, local.settings))
    SHELFCAST_MAXIMUM_BYTES_BILLED = format("%d", var.maximum_bytes_billed)
    # Plans and weather are the loader's: the other accounts cannot write what they read.
    SHELFCAST_LOADING = "apart"
  }

  # The loader's secret, once somebody has given it a value.
  job_secrets = {
    for name, job in local.jobs : name => (
      job.account == "load" && var.weather_key_version != null
      ? { SHELFCAST_WEATHER_KEY = { secret = "weather-key", version = var.weather_key_version } }
      : {}
    )
  }
}

resource "google_cloud_run_v2_job" "job" {
  for_each = local.jobs

  project             = var.project
  location            = var.region
  name                = each.key
  deletion_protection = false # a job holds nothing: what it made is in BigQuery and in the buckets

  labels = merge(local.labels, { stage = each.value.stage }, each.value.use_case == null ? {} : { use_case = each.value.use_case })

  template {
    task_count  = each.value.tasks
    parallelism = each.value.parallelism
    labels      = merge(local.labels, { stage = each.value.stage }, each.value.use_case == null ? {} : { use_case = each.value.use_case })

    template {
      service_account = google_service_account.account[each.value.account].email
      max_retries     = each.value.retries
      timeout         = "${each.value.timeout_s}s"

      containers {
        image = var.image
        args  = each.value.args

        resources {
          limits = { cpu = tostring(each.value.cpu), memory = "${each.value.memory_gib}Gi" }
        }

        dynamic "env" {
          for_each = merge(
            local.job_environment,
            each.value.use_case == null ? {} : { SHELFCAST_USE_CASE = each.value.use_case },
            each.value.env,
          )

          content {
            name  = env.key
            value = env.value
          }
        }

        dynamic "env" {
          for_each = local.job_secrets[each.key]

          content {
            name = env.key
            value_source {
              secret_key_ref {
                secret  = google_secret_manager_secret.secret[env.value.secret].secret_id
                version = env.value.version
              }
            }
          }
        }
      }
    }
  }

  lifecycle {
    # A deploy moves the image; gcloud and the console leave their names.
    ignore_changes = [client, client_version, template[0].template[0].containers[0].image]

    precondition {
      condition     = each.value.account != "load" || var.weather_key_version == null || var.weather_key
      error_message = "weather_key_version is set, but weather_key is false: there is no such secret."
    }

    precondition {
      condition     = can(regex("^[a-z][a-z0-9-]{0,62}$", each.key))
      error_message = "The job's name '${each.key}' is not one: at most 63 lower-case letters, digits and dashes. Give the use case a shorter suffix."
    }

    precondition {
      condition     = length(each.value.args) > 0
      error_message = "The stage of '${each.key}' has no args: a stage of your own says what `shelfcast` does."
    }

    # Of what the stage ends up with: a stage that gives one of the two keeps the default of the other.
    precondition {
      condition     = each.value.memory_gib <= 4 * each.value.cpu && each.value.memory_gib >= each.value.cpu / 2
      error_message = "'${each.key}' would have ${each.value.cpu} vCPU with ${each.value.memory_gib} GiB, which Cloud Run refuses: at least half a GiB and at most 4 GiB a vCPU. Set cpu and memory_gib together."
    }

    precondition {
      condition     = try(each.value.args[0], "") != "load-inbox" || try(local.settings.use_cases[each.value.use_case].sources.promotions.inbox, "") != ""
      error_message = "'${each.key}' would fail each night: ${coalesce(each.value.use_case, "it")} has no inbox. Set settings.use_cases.<use case>.sources.promotions.inbox to \"gs://${local.staging_bucket}/inbox\"."
    }

    precondition {
      condition     = try(each.value.args[0], "") != "fetch-weather" || try(local.settings.use_cases[each.value.use_case].sources.weather.fetch.service, "none") != "none"
      error_message = "'${each.key}' would fail each night: ${coalesce(each.value.use_case, "it")} fetches no weather. Set settings.use_cases.<use case>.sources.weather.fetch.service to \"open_meteo\"."
    }
  }

  depends_on = [google_project_service.api, google_bigquery_dataset_iam_member.grant, google_storage_bucket_iam_member.grant, google_secret_manager_secret_iam_member.grant]
}
