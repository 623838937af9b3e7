# The settings of the jobs: those of dbt_project.yml, with the deployment's own laid over them. The jobs
# get them as one value, so that a change of them is a new version of the jobs.

locals {
  project_vars = yamldecode(file("${path.module}/../../dbt_project.yml")).vars

  own_use_cases = { for name, use_case in var.use_cases : name => try(var.settings.use_cases[name], {}) }

  # As python_jobs/infra/overlay.py: a use case that says its grain is whole, another is a change of the project's.
  base_use_cases = {
    for name, own in local.own_use_cases : name => {
      for key, value in try(local.project_vars.use_cases[name], {}) : key => value if !can(own.grain)
    }
  }

  # Key by key, as deep as settings go: use case, section, source, part, variable. `try` takes the merged
  # mapping where both are one, else the deployment's value, else the project's; null takes a key away.
  laid_over = {
    for name, own in local.own_use_cases : name => {
      for a in distinct(concat(keys(local.base_use_cases[name]), keys(own))) : a => try(
        {
          for b in distinct(concat(keys(local.base_use_cases[name][a]), keys(own[a]))) : b => try(
            {
              for c in distinct(concat(keys(local.base_use_cases[name][a][b]), keys(own[a][b]))) : c => try(
                {
                  for d in distinct(concat(keys(local.base_use_cases[name][a][b][c]), keys(own[a][b][c]))) : d => try(
                    own[a][b][c][d], local.base_use_cases[name][a][b][c][d],
                  ) if try(own[a][b][c][d] != null, true)
                },
                own[a][b][c], local.base_use_cases[name][a][b][c],
              ) if try(own[a][b][c] != null, true)
            },
            own[a][b], local.base_use_cases[name][a][b],
          ) if try(own[a][b] != null, true)
        },
        own[a], local.base_use_cases[name][a],
      ) if try(own[a] != null, true)
    }
  }

  # The same default of the schedule as SQL and Python take.
  default_schedules = {
    for name, use_case in local.laid_over : name => (
      try(use_case.grain, "") == "day" ? local.project_vars.day_defaults.schedule : local.project_vars.use_case_defaults.schedule
    )
  }

  settings = merge(
    { for key, value in var.settings : key => value if key != "use_cases" },
    {
      use_cases = {
        for name, use_case in local.laid_over : name => merge(
          use_case,
          {
            schedule  = try(use_case.schedule, local.default_schedules[name])
            time_zone = coalesce(var.use_cases[name].time_zone, var.time_zone)
          },
        )
      }
    },
  )

  # publish: {model: dataset.table}
  published_datasets = toset([for place in values(try(var.settings.publish, {})) : split(".", place)[0]])
}
