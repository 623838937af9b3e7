# Everything that a deployment chooses. One file of values is one deployment: examples/distributor.tfvars.

variable "project" {
  description = "The Google Cloud project."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project))
    error_message = "project: 6 to 30 lower-case letters, digits and dashes, as `gcloud projects list` shows it (its id, not its name or number)."
  }
}

variable "region" {
  description = "Where jobs, schedules, buckets and images are."
  type        = string

  validation {
    condition     = can(regex("^[a-z]+-[a-z]+[0-9]+$", var.region))
    error_message = "region: a region such as europe-west4 or asia-south1 (no zone, no multi-region)."
  }
}

variable "bigquery_location" {
  description = "Where the datasets are: a region or a multi-region. Null: the region. It cannot be changed later."
  type        = string
  default     = null
}

variable "name" {
  description = "Prefix of service accounts, buckets and the image repository; two deployments in one project need two."
  type        = string
  default     = "shelfcast"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,14}$", var.name))
    error_message = "name: 2 to 15 lower-case letters, digits and dashes, starting with a letter (a service account's name has 30 at most)."
  }
}

variable "dataset" {
  description = "Prefix of the datasets: <dataset>_raw, <dataset>_logs, … <dataset>_marts."
  type        = string
  default     = "shelfcast"

  validation {
    condition     = can(regex("^[A-Za-z][A-Za-z0-9_]{0,100}$", var.dataset))
    error_message = "dataset: letters, digits and underscores, starting with a letter."
  }
}

variable "models_bucket" {
  description = "The bucket of the models. Null: <project>-<name>-models. Names are global."
  type        = string
  default     = null
}

variable "staging_bucket" {
  description = "The bucket for files on their way in: plans, exports. Null: <project>-<name>-staging."
  type        = string
  default     = null
}

variable "staging_days" {
  description = "Days after which a file in the staging bucket is deleted."
  type        = number
  default     = 30

  validation {
    condition     = var.staging_days >= 1 && floor(var.staging_days) == var.staging_days
    error_message = "staging_days: a whole number of days, at least 1."
  }
}

variable "snapshot_days" {
  description = "Days that the daily snapshot of each log table is kept."
  type        = number
  default     = 30

  validation {
    condition     = var.snapshot_days >= 8 && floor(var.snapshot_days) == var.snapshot_days
    error_message = "snapshot_days: a whole number of days, at least 8: seven days back BigQuery shows by itself."
  }
}

variable "kept_model_generations" {
  description = "Earlier generations of an object in the models bucket that stay restorable for 90 days."
  type        = number
  default     = 5

  validation {
    condition     = var.kept_model_generations >= 1 && var.kept_model_generations <= 100
    error_message = "kept_model_generations: 1 to 100."
  }
}

variable "repository" {
  description = "The Artifact Registry repository of the image. Null: the name."
  type        = string
  default     = null
}

variable "image" {
  description = "The image that new jobs start with, by digest: REGION-docker.pkg.dev/PROJECT/REPOSITORY/shelfcast@sha256:…. Null on the first apply, when no image exists yet: then no job is made. A job that exists keeps its image; deploys move it."
  type        = string
  default     = null

  validation {
    condition     = var.image == null || can(regex("@sha256:[0-9a-f]{64}$", var.image))
    error_message = "image: name it by digest (…/shelfcast@sha256: and 64 hexadecimal digits), so that what runs is what was tested."
  }
}

variable "time_zone" {
  description = "IANA time zone of the schedules, and of the use cases in the settings."
  type        = string
  default     = "Europe/Moscow"

  validation {
    condition     = can(regex("^(UTC|[A-Z][A-Za-z_]+/[A-Za-z_/+-]+[0-9]*)$", var.time_zone))
    error_message = "time_zone: an IANA name such as Europe/Moscow, Asia/Kolkata or UTC; no offset, no abbreviation."
  }
}

variable "schedules_enabled" {
  description = "Whether the schedules run. They are made paused: `shelfcast doctor --go-live` says when to set this."
  type        = bool
  default     = false
}

variable "use_cases" {
  description = <<-EOT
    The use cases of the deployment and their jobs.

    suffix: of the jobs' names; null: -<use case>. One use case may have "".
    stages: what differs from the stages' defaults (stages.tf), or stages of your own, by stage:
      enabled, job (name), args, account (predict | monitor | train | load), tasks, parallelism
      (0: all at once), retries, timeout_s, cpu, memory_gib, env, cron ("": no schedule),
      has_overrides (operators may give environment and arguments to an execution).
  EOT
  type = map(object({
    suffix    = optional(string)
    time_zone = optional(string)
    stages = optional(map(object({
      enabled       = optional(bool)
      job           = optional(string)
      args          = optional(list(string))
      account       = optional(string)
      tasks         = optional(number)
      parallelism   = optional(number)
      retries       = optional(number)
      timeout_s     = optional(number)
      cpu           = optional(number)
      memory_gib    = optional(number)
      env           = optional(map(string))
      cron          = optional(string)
      has_overrides = optional(bool)
    })), {})
  }))
  default = { sku_weekly = { suffix = "" } }

  validation {
    condition     = length(var.use_cases) > 0
    error_message = "use_cases: name at least one."
  }

  validation {
    condition     = alltrue([for name in keys(var.use_cases) : can(regex("^[a-z][a-z0-9_]*$", name))])
    error_message = "use_cases: names are lower-case letters, digits and underscores, as in the settings."
  }

  validation {
    condition     = length([for one in values(var.use_cases) : one if one.suffix == ""]) <= 1
    error_message = "use_cases: only one may have the suffix \"\", or their jobs would share names."
  }

  validation {
    condition = alltrue(flatten([for one in values(var.use_cases) : [for stage in values(one.stages) : [
      coalesce(stage.tasks, 1) >= 1 && coalesce(stage.tasks, 1) <= 10000,
      coalesce(stage.retries, 0) >= 0 && coalesce(stage.retries, 0) <= 10,
      coalesce(stage.timeout_s, 3600) >= 60 && coalesce(stage.timeout_s, 3600) <= 604800,
      coalesce(stage.parallelism, 0) >= 0 && coalesce(stage.parallelism, 0) <= 10000,
    ]]]))
    error_message = "use_cases.<name>.stages.<stage>: tasks 1 to 10000, parallelism 0 to 10000, retries 0 to 10, timeout_s 60 to 604800 (seven days)."
  }

  # https://cloud.google.com/run/docs/configuring/jobs/memory-limits
  validation {
    condition = alltrue(flatten([for one in values(var.use_cases) : [for stage in values(one.stages) : [
      contains([1, 2, 4, 6, 8], coalesce(stage.cpu, 1)),
      coalesce(stage.memory_gib, 1) >= 1 && coalesce(stage.memory_gib, 1) <= 32,
    ]]]))
    error_message = "use_cases.<name>.stages.<stage>: cpu is 1, 2, 4, 6 or 8; memory_gib is 1 to 32."
  }

  validation {
    condition = alltrue(flatten([for one in values(var.use_cases) : [for stage in values(one.stages) :
      contains(["predict", "monitor", "train", "load"], coalesce(stage.account, "predict"))
    ]]))
    error_message = "use_cases.<name>.stages.<stage>: account is predict, monitor, train or load."
  }

  validation {
    condition = alltrue(flatten([for one in values(var.use_cases) : [for stage in values(one.stages) :
      stage.cron == null || can(regex("^$|^\\S+ \\S+ \\S+ \\S+ \\S+$", stage.cron))
    ]]))
    error_message = "use_cases.<name>.stages.<stage>: cron has five fields (minute hour day month weekday), such as \"0 22 * * 3\"; \"\" is no schedule."
  }
}

variable "settings" {
  description = <<-EOT
    What differs from `vars:` of dbt_project.yml, in its keys, laid over them key by key (README.md of the
    project, "Settings and environment"). time_zone comes from the variable of that name.
    Thresholds are here: { use_cases = { sku_weekly = { alerts = { wape = 0.6 } } } }.
  EOT
  type        = any
  default     = {}
}

variable "source_datasets" {
  description = "Datasets outside of this deployment that the settings name as sources; the jobs and the analysts may read them."
  type        = set(object({ project = string, dataset = string }))
  default     = []
}

variable "planners" {
  description = "Who reads the marts in Looker Studio, as IAM members: group:planners@example.com."
  type        = set(string)
  default     = []
}

variable "analysts" {
  description = "Who reads every dataset and may query: group:analysts@example.com."
  type        = set(string)
  default     = []
}

variable "operators" {
  description = "Who starts jobs by hand, with other arguments where a stage allows it, and reads the logs."
  type        = set(string)
  default     = []
}

variable "uploaders" {
  description = "Who puts plans into the staging bucket: people, or the account of another system."
  type        = set(string)
  default     = []
}

variable "notification_emails" {
  description = "Who gets a mail when a run fails or is missing, or accuracy breaches its threshold."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for address in var.notification_emails : can(regex("^[^@\\s]+@[^@\\s]+$", address))])
    error_message = "notification_emails: e-mail addresses, without group: or user:."
  }
}

variable "alerts_left_out" {
  description = "Alerts on what the jobs log that are not made, by name (alerts.tf): bias, weather_not_fetched, …. Each costs what Google charges a condition."
  type        = set(string)
  default     = []

  validation {
    condition = length(setsubtract(var.alerts_left_out, [
      "accuracy", "bias", "missing_run", "models_faulty", "no_forecast", "upload_refused", "weather_not_fetched",
    ])) == 0
    error_message = "alerts_left_out: accuracy, bias, missing_run, models_faulty, no_forecast, upload_refused or weather_not_fetched. A run that failed or is overdue always alerts."
  }
}

variable "runbook_url" {
  description = "Where the alerts point to: the address of deploy/runbook.md as your people open it."
  type        = string

  validation {
    condition     = startswith(var.runbook_url, "https://") && !strcontains(var.runbook_url, "#")
    error_message = "runbook_url: an https:// address of the page; each alert adds the heading (#…)."
  }
}

variable "weather_key" {
  description = "Makes the secret for Open-Meteo's key. Its value is added by hand (../README.md), never here."
  type        = bool
  default     = false
}

variable "weather_key_version" {
  description = "Which version of the weather key the loader reads, such as \"1\". Null until it was added."
  type        = string
  default     = null

  validation {
    condition     = var.weather_key_version == null || can(regex("^[1-9][0-9]*$", var.weather_key_version))
    error_message = "weather_key_version: a version's number. `latest` would change a job without anybody deploying it."
  }
}

variable "maximum_bytes_billed" {
  description = "A query that would read more bytes is refused. 10^12 (1 TB) is about 6 USD on demand."
  type        = number
  default     = 1000000000000

  validation {
    condition     = var.maximum_bytes_billed >= 10485760
    error_message = "maximum_bytes_billed: at least 10485760, the 10 MB that BigQuery bills for any query."
  }
}

variable "budget" {
  description = "A monthly budget with mails at 50, 90 and 100 %, and where 100 % is forecast. Null: none; it needs rights on the billing account. currency: of the billing account, which refuses another; null: that one."
  type        = object({ billing_account = string, amount = number, currency = optional(string) })
  default     = null

  validation {
    condition     = var.budget == null || try(var.budget.amount >= 1 && can(regex("^[0-9A-F]{6}-[0-9A-F]{6}-[0-9A-F]{6}$", var.budget.billing_account)), false)
    error_message = "budget: an amount of at least 1, and a billing account like 012345-6789AB-CDEF01 (`gcloud billing accounts list`)."
  }
}

variable "github" {
  description = "Lets a GitHub repository's workflow push images and move the jobs to them, without a key. Null: nobody. repository_id: `gh api repos/OWNER/NAME --jq .id`; a name can change hands, its number cannot."
  type        = object({ repository = string, repository_id = string, branch = optional(string, "main") })
  default     = null

  validation {
    condition     = var.github == null || can(regex("^[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+ [0-9]+$", "${var.github.repository} ${var.github.repository_id}"))
    error_message = "github: repository is owner/name, repository_id its number (`gh api repos/OWNER/NAME --jq .id`)."
  }
}

variable "cloud_build" {
  description = "Lets Cloud Build push images and move the jobs to them, as two accounts of this deployment (../cloudbuild.yaml, ../cloudbuild-deploy.yaml)."
  type        = bool
  default     = false
}

variable "mlflow" {
  description = "An MLflow server on Cloud Run, for operators and analysts. Null: none. image: by digest. database_secret: the Secret Manager secret that holds the URI of its database, which costs money while idle."
  type        = object({ image = string, database_secret = string, database_secret_version = string })
  default     = null

  validation {
    condition     = var.mlflow == null || can(regex("@sha256:[0-9a-f]{64}$", var.mlflow.image))
    error_message = "mlflow.image: name it by digest (…@sha256: and 64 hexadecimal digits)."
  }
}

variable "looker_template" {
  description = "Id of a Looker Studio report that the links copy; empty: blank reports over the marts."
  type        = string
  default     = ""
}

variable "labels" {
  description = "Labels of everything that has some, for the bill."
  type        = map(string)
  default     = {}
}
