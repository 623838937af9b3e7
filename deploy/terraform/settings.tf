# The settings of the jobs: those of dbt_project.yml, with what the deployment says of its own. The jobs
# get them as one value, so that a change of them is a new version of the jobs.

locals {
  project_vars = yamldecode(file("${path.module}/../../dbt_project.yml")).vars

  chosen_use_cases = {
    for name, use_case in var.use_cases : name => merge(
      try(local.project_vars.use_cases[name], {}),
      try(var.settings.use_cases[name], {}),
      { time_zone = coalesce(use_case.time_zone, var.time_zone) },
      { for part in ["alerts", "retraining"] : part => merge(
        try(local.project_vars.use_cases[name][part], {}),
        try(var.settings.use_cases[name][part], {}),
      ) },
    )
  }

  settings = merge(
    { for key, value in var.settings : key => value if key != "use_cases" },
    {
      use_cases = {
        for name, use_case in local.chosen_use_cases : name => merge(
          # The same default as SQL and Python take.
          { schedule = local.project_vars.use_case_defaults.schedule }, use_case
        )
      }
    },
  )

  # publish: {model: dataset.table}
  published_datasets = toset([for place in values(try(var.settings.publish, {})) : split(".", place)[0]])
}
