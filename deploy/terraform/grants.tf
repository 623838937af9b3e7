# Who may do what, on what, and why: the resources below are made of this list and of nothing else, and so
# is the output `principals`. Grants are additive and on the smallest thing that carries them; the only
# ones on the project are those that BigQuery and the consoles have nowhere else.

locals {
  job_accounts = ["predict", "monitor", "train", "load"]

  project_grants = concat(
    [for account in local.job_accounts : {
      member = "serviceAccount:${local.emails[account]}", role = "roles/bigquery.jobUser"
      why    = "runs queries and load jobs; what they may read or write is said by the datasets"
    }],
    [{
      member = "serviceAccount:${local.emails.keeper}", role = "roles/bigquery.jobUser", why = "runs the statement that takes the snapshots"
    }],
    [for account in local.job_accounts : {
      member = "serviceAccount:${local.emails[account]}", role = "roles/bigquery.readSessionUser"
      why    = "reads results through the Storage Read API"
    }],
    [for member in setunion(var.planners, var.analysts) : {
      member = member, role = "roles/bigquery.jobUser", why = "Looker Studio and the console query as the person who looks"
    }],
    [for member in setunion(var.planners, var.analysts) : {
      member = member, role = "roles/bigquery.readSessionUser", why = "`shelfcast sql` and `report` read results through the Storage Read API"
    }],
    [for member in var.operators : {
      member = member, role = "roles/logging.viewer", why = "reads what a run said"
    }],
    [for member in var.operators : {
      member = member, role = "roles/monitoring.viewer", why = "sees incidents and their history"
    }],
    # Jobs and schedules are listed by project.
    [for member in var.operators : {
      member = member, role = "roles/run.viewer", why = "lists jobs and follows their executions"
    }],
    [for member in var.operators : {
      member = member, role = "roles/cloudscheduler.viewer", why = "sees when a schedule called last, and what was answered"
    }],
    local.has_delivery ? [{
      member = local.deployer_member, role = "roles/run.viewer", why = "lists the jobs that it moves"
    }] : [],
    [for member in local.delivery_members : {
      member = member, role = "roles/logging.logWriter", why = "a build that runs as it writes its own log"
    } if var.cloud_build],
  )

  # dataset => what an account does there. R: reads. W: reads and writes. A: reads and appends.
  dataset_access = {
    predict = { raw = "R", logs = "A", staging = "W", features = "W", forecasts = "W", metrics = "W", marts = "W" }
    monitor = { raw = "R", logs = "A", staging = "W", features = "W", forecasts = "R", metrics = "W", marts = "W" }
    train   = { raw = "R", logs = "A", staging = "W", features = "W", forecasts = "W", metrics = "R", marts = "R" }
    load    = { raw = "W", logs = "A", staging = "R", features = "R" }
  }

  dataset_reasons = {
    predict = "builds every stage of the weekly run from sources that it only reads"
    monitor = "builds actuals, errors and marts; issued forecasts it only reads"
    train   = "builds the panels, the registry and the recipes; accuracy it only reads"
    load    = "appends what came in and notes the upload; staging and features say what was rejected"
  }

  dataset_grants = concat(
    flatten([for account, datasets in local.dataset_access : [for dataset, access in datasets : {
      member = "serviceAccount:${local.emails[account]}", dataset = "${var.dataset}_${dataset}"
      role   = { R = "roles/bigquery.dataViewer", W = "roles/bigquery.dataEditor", A = local.log_appender }[access]
      why    = local.dataset_reasons[account]
    }]]),
    [
      {
        member = "serviceAccount:${local.emails.keeper}", dataset = "${var.dataset}_logs", role = "roles/bigquery.dataViewer"
        why    = "copies the logs, and cannot change them"
      },
      {
        member = "serviceAccount:${local.emails.keeper}", dataset = local.snapshots_dataset, role = "roles/bigquery.dataEditor"
        why    = "keeps the copies; no job may write them"
      },
    ],
    flatten([for account in ["predict", "monitor"] : [for dataset in local.published_datasets : {
      member = "serviceAccount:${local.emails[account]}", dataset = dataset, role = "roles/bigquery.dataEditor"
      why    = "builds the marts that the settings publish here"
    }]]),
    flatten([for member in var.planners : [for dataset in setunion(local.published_datasets, ["${var.dataset}_marts"]) : {
      member = member, dataset = dataset, role = "roles/bigquery.dataViewer", why = "reads the marts"
    }]]),
    flatten([for member in var.analysts : [for dataset in setunion(local.published_datasets, [for key in keys(local.datasets) : "${var.dataset}_${key}"]) : {
      member = member, dataset = dataset, role = "roles/bigquery.dataViewer", why = "follows a number from the mart to its source"
    }]]),
  )

  source_grants = concat(
    flatten([for account in local.job_accounts : [for source in var.source_datasets : {
      member = "serviceAccount:${local.emails[account]}", project = source.project, dataset = source.dataset
      role   = "roles/bigquery.dataViewer"
      why    = "a source of the settings, read as it stands"
    }]]),
    # The staging views read it as whoever asks.
    flatten([for member in var.analysts : [for source in var.source_datasets : {
      member = member, project = source.project, dataset = source.dataset, role = "roles/bigquery.dataViewer"
      why    = "follows a number from the mart to its source"
    }]]),
  )

  leases_only = {
    title       = "leases-only"
    expression  = "resource.name.startsWith(\"projects/_/buckets/${local.models_bucket}/objects/leases/\")"
    description = "One run at a time: a lease is an object."
  }

  inbox_only = {
    title       = "inbox-only"
    expression  = "resource.name.startsWith(\"projects/_/buckets/${local.staging_bucket}/objects/inbox/\")"
    description = "Kept answers of the weather service and sources of builds lie beside the plans."
  }

  builds_only = {
    title       = "builds-only"
    expression  = "resource.name.startsWith(\"projects/_/buckets/${local.staging_bucket}/objects/builds/\")"
    description = "Sources of builds lie beside the plans."
  }

  bucket_grants = concat(
    [
      {
        member = "serviceAccount:${local.emails.predict}", bucket = "models", role = "roles/storage.objectUser", condition = null
        why    = "takes leases, reads models, and stores those that it refits every week"
      },
      {
        member = "serviceAccount:${local.emails.train}", bucket = "models", role = "roles/storage.objectUser", condition = null
        why    = "takes leases and stores models"
      },
      {
        member = "serviceAccount:${local.emails.monitor}", bucket = "models", role = "roles/storage.objectViewer", condition = null
        why    = "asks the models that issued, with the weather that came"
      },
      {
        member = "serviceAccount:${local.emails.monitor}", bucket = "models", role = "roles/storage.objectUser", condition = local.leases_only
        why    = "takes leases; models it cannot touch"
      },
      {
        member = "serviceAccount:${local.emails.load}", bucket = "staging", role = "roles/storage.objectViewer", condition = null
        why    = "reads the plans that were dropped"
      },
      {
        member = "serviceAccount:${local.emails.load}", bucket = "staging", role = "roles/storage.objectCreator", condition = null
        why    = "keeps the raw answers of the weather service, where the settings say so"
      },
    ],
    [for member in var.uploaders : {
      member = member, bucket = "staging", role = "roles/storage.objectCreator", condition = local.inbox_only
      why    = "drops plans; cannot read or replace those of others"
    }],
    var.cloud_build ? [{
      member = local.builder_member, bucket = "staging", role = "roles/storage.objectViewer", condition = local.builds_only
      why    = "reads the source that was submitted; plans it cannot read"
    }] : [],
  )

  job_grants = concat(
    [for name, job in local.jobs : {
      member = "serviceAccount:${local.emails.runner}", job = name, role = "roles/run.invoker"
      why    = "starts it on schedule, as it is: overrides need another permission"
    } if job.cron != ""],
    flatten([for member in var.operators : [for name, job in local.jobs : {
      member = member, job = name
      role   = job.has_overrides ? "roles/run.jobsExecutorWithOverrides" : "roles/run.invoker"
      why    = job.has_overrides ? "starts it for chosen series, which is an override" : "starts it by hand, as it is"
    }]]),
    [for name, job in local.jobs : {
      member = local.deployer_member, job = name, role = "roles/run.developer", why = "moves it to a new image"
    } if local.has_delivery],
  )

  secret_grants = concat(
    var.weather_key ? [{
      member = "serviceAccount:${local.emails.load}", secret = "weather-key", role = "roles/secretmanager.secretAccessor"
      why    = "fetches the weather with it"
    }] : [],
  )

  repository_grants = local.has_delivery ? [
    { member = local.builder_member, role = "roles/artifactregistry.writer", why = "pushes the image that was tested" },
    { member = local.deployer_member, role = "roles/artifactregistry.writer", why = "reads the image, and tags it `live`, which keeps it" },
  ] : []

  account_grants = [for account in(local.has_delivery ? local.job_accounts : []) : {
    member = local.deployer_member, account = account, role = "roles/iam.serviceAccountUser"
    why    = "a job can only be moved by who may act as its account"
  }]

  # Each grant once, with all its reasons: one person may be a planner and an analyst.
  project_granted = {
    for key, same in { for one in local.project_grants : "${one.member} ${one.role}" => one... } :
    key => merge(same[0], { why = join("; ", distinct(same[*].why)) })
  }
  dataset_granted = {
    for key, same in { for one in local.dataset_grants : "${one.member} ${one.role} ${one.dataset}" => one... } :
    key => merge(same[0], { why = join("; ", distinct(same[*].why)) })
  }
  source_granted = {
    for key, same in { for one in local.source_grants : "${one.member} ${one.project}.${one.dataset}" => one... } :
    key => merge(same[0], { why = join("; ", distinct(same[*].why)) })
  }
  job_granted = {
    for key, same in { for one in local.job_grants : "${one.member} ${one.role} ${one.job}" => one... } :
    key => merge(same[0], { why = join("; ", distinct(same[*].why)) })
  }
}

resource "google_project_iam_member" "grant" {
  for_each = local.project_granted

  project = var.project
  member  = each.value.member
  role    = each.value.role

  depends_on = [google_service_account.account, google_service_account.delivery]
}

resource "google_bigquery_dataset_iam_member" "grant" {
  for_each = local.dataset_granted

  project    = var.project
  dataset_id = each.value.dataset
  member     = each.value.member
  role       = each.value.role

  depends_on = [google_service_account.account, google_bigquery_dataset.dataset, google_bigquery_dataset.published, google_bigquery_dataset.snapshots, google_project_iam_custom_role.log_appender]
}

resource "google_bigquery_dataset_iam_member" "source" {
  for_each = local.source_granted

  project    = each.value.project
  dataset_id = each.value.dataset
  member     = each.value.member
  role       = each.value.role

  depends_on = [google_service_account.account]
}

resource "google_storage_bucket_iam_member" "grant" {
  for_each = { for grant in local.bucket_grants : "${grant.member} ${grant.role} ${grant.bucket}" => grant }

  bucket = each.value.bucket == "models" ? google_storage_bucket.models.name : google_storage_bucket.staging.name
  member = each.value.member
  role   = each.value.role

  dynamic "condition" {
    for_each = each.value.condition == null ? [] : [each.value.condition]

    content {
      title       = condition.value.title
      expression  = condition.value.expression
      description = condition.value.description
    }
  }

  depends_on = [google_service_account.account]
}

resource "google_cloud_run_v2_job_iam_member" "grant" {
  for_each = local.job_granted

  project  = var.project
  location = var.region
  name     = google_cloud_run_v2_job.job[each.value.job].name
  member   = each.value.member
  role     = each.value.role

  depends_on = [google_service_account.account]
}

resource "google_secret_manager_secret_iam_member" "grant" {
  for_each = { for grant in local.secret_grants : "${grant.member} ${grant.secret}" => grant }

  project   = var.project
  secret_id = google_secret_manager_secret.secret[each.value.secret].secret_id
  member    = each.value.member
  role      = each.value.role

  depends_on = [google_service_account.account]
}

resource "google_artifact_registry_repository_iam_member" "grant" {
  for_each = { for grant in local.repository_grants : "${grant.member} ${grant.role}" => grant }

  project    = var.project
  location   = google_artifact_registry_repository.images.location
  repository = google_artifact_registry_repository.images.name
  member     = each.value.member
  role       = each.value.role

  depends_on = [google_service_account.delivery]
}

resource "google_service_account_iam_member" "grant" {
  for_each = { for grant in local.account_grants : "${grant.member} ${grant.account}" => grant }

  service_account_id = google_service_account.account[each.value.account].name
  member             = each.value.member
  role               = each.value.role

  depends_on = [google_service_account.delivery]
}
