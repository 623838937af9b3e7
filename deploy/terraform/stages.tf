# What a use case does by itself, stage by stage. A stage is a job; use_cases.<name>.stages changes it.

locals {
  stage_defaults = {
    enabled       = true
    job           = ""
    args          = []
    account       = "predict"
    tasks         = 1
    parallelism   = 0
    retries       = 1
    timeout_s     = 7200
    cpu           = 2
    memory_gib    = 4
    env           = {}
    cron          = ""
    has_overrides = false
  }

  stages = {
    # The chain in one job, of as many tasks as it needs: the first prepares, each forecasts its
    # share, the last publishes (docs/decisions/one-job-of-n-tasks.md).
    predict = { job = "predict-weekly", args = ["run"] }
    monitor = { job = "monitor-performance", args = ["monitor"], account = "monitor", cron = "0 0 * * 5" }

    # By hand, with TARGET_COMBINATIONS. A failed retraining is looked at before it is repeated.
    retrain = { job = "retrain-models", args = ["retrain"], account = "train", retries = 0, timeout_s = 14400, cpu = 4, memory_gib = 8, has_overrides = true }

    # Every series that monitoring finds due, up to retraining.max_series of the settings.
    retrain_candidates = { enabled = false, job = "retrain-candidates", args = ["retrain", "--candidates"], account = "train", retries = 0, timeout_s = 14400, cpu = 4, memory_gib = 8, cron = "0 3 * * 6" }

    # All series at once, by hand: the first training, or after a change of the settings.
    train = { job = "train-models", args = ["train"], account = "train", timeout_s = 14400, cpu = 4, memory_gib = 8, has_overrides = true }

    # What comes in, before it is needed. The other jobs cannot write what they read.
    load_plans    = { enabled = false, job = "load-plans", args = ["load-inbox"], account = "load", cron = "30 21 * * *", timeout_s = 1800, cpu = 1, memory_gib = 2 }
    fetch_weather = { enabled = false, job = "fetch-weather", args = ["fetch-weather"], account = "load", cron = "0 21 * * *", timeout_s = 1800, cpu = 1, memory_gib = 2 }

    # The chain as three jobs, for an orchestrator of your own.
    before = { enabled = false, job = "weekly-before", args = ["run", "--step", "before"] }
    middle = { enabled = false, job = "weekly-predict", args = ["predict"] }
    after  = { enabled = false, job = "weekly-after", args = ["run", "--step", "after"] }
  }

  # What a deployment has once, whatever its use cases.
  common_stages = {
    # Looks whether a scheduled run is missing; four looks a day, so that its own silence is noticed.
    check_runs = { job = "check-runs", args = ["check-runs"], account = "monitor", cron = "0 */6 * * *", timeout_s = 600, cpu = 1, memory_gib = 1 }
  }

  weekdays = {
    sunday = "0", monday = "1", tuesday = "2", wednesday = "3", thursday = "4", friday = "5", saturday = "6", daily = "*"
  }

  # The forecast runs when the settings say that it does: one place for both.
  forecast_crons = {
    for name, use_case in local.settings.use_cases : name => format(
      "%d %d * * %s",
      split(":", use_case.schedule.time)[1],
      split(":", use_case.schedule.time)[0],
      local.weekdays[lower(use_case.schedule.weekday)],
    )
  }

  suffixes = {
    for name, use_case in var.use_cases :
    name => use_case.suffix == null ? "-${replace(name, "_", "-")}" : use_case.suffix
  }

  planned_jobs = concat(
    [
      for stage, given in local.common_stages : merge(local.stage_defaults, given, {
        name = given.job, stage = stage, use_case = null, time_zone = var.time_zone
      })
    ],
    flatten([
      for name, use_case in var.use_cases : [
        for stage in distinct(concat(keys(local.stages), keys(use_case.stages))) : [
          for spec in [merge(
            local.stage_defaults,
            try(local.stages[stage], {}),
            stage == "predict" ? { cron = local.forecast_crons[name] } : {},
            { for key, value in try(use_case.stages[stage], {}) : key => value if value != null },
          )] :
          merge(spec, {
            name      = "${spec.job}${local.suffixes[name]}"
            stage     = stage
            use_case  = name
            time_zone = coalesce(use_case.time_zone, var.time_zone)
          })
        ]
      ]
    ]),
  )

  # Two stages of one name are an error here, and name it.
  enabled_jobs = { for spec in local.planned_jobs : spec.name => spec if spec.enabled }

  # Without an image there is nothing to run yet (../README.md, the first apply).
  jobs = { for name, spec in local.enabled_jobs : name => spec if var.image != null }
}
