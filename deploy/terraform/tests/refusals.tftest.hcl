# Values that no deployment may have: each is refused before anything is made.

mock_provider "google" {}

mock_provider "google" {
  alias = "billing"
}

run "a_project_number" {
  command         = plan
  expect_failures = [var.project]
  variables {
    project = "123456789012"
  }
}

run "a_zone_for_a_region" {
  command         = plan
  expect_failures = [var.region]
  variables {
    region = "asia-south1-a"
  }
}

run "an_offset_for_a_time_zone" {
  command         = plan
  expect_failures = [var.time_zone]
  variables {
    time_zone = "GMT+3"
  }
}

run "an_image_by_tag" {
  command         = plan
  expect_failures = [var.image]
  variables {
    image = "asia-south1-docker.pkg.dev/distributor-forecasting/forecasting/shelfcast:latest"
  }
}

run "no_use_case" {
  command         = plan
  expect_failures = [var.use_cases]
  variables {
    use_cases = {}
  }
}

run "two_use_cases_without_a_suffix" {
  command         = plan
  expect_failures = [var.use_cases]
  variables {
    use_cases = { sku_weekly = { suffix = "" }, store_dept_weekly = { suffix = "" } }
  }
}

run "too_many_tasks" {
  command         = plan
  expect_failures = [var.use_cases]
  variables {
    use_cases = { sku_weekly = { suffix = "", stages = { predict = { tasks = 10001 } } } }
  }
}

run "a_timeout_beyond_seven_days" {
  command         = plan
  expect_failures = [var.use_cases]
  variables {
    use_cases = { sku_weekly = { suffix = "", stages = { train = { timeout_s = 604801 } } } }
  }
}

run "three_processors" {
  command         = plan
  expect_failures = [var.use_cases]
  variables {
    use_cases = { sku_weekly = { suffix = "", stages = { train = { cpu = 3 } } } }
  }
}

run "more_memory_than_the_processors_carry" {
  command         = plan
  expect_failures = [google_cloud_run_v2_job.job]
  variables {
    use_cases = { sku_weekly = { suffix = "", stages = { train = { cpu = 1, memory_gib = 8 } } } }
  }
}

run "more_memory_than_the_default_processors_carry" {
  command         = plan
  expect_failures = [google_cloud_run_v2_job.job]
  variables {
    use_cases = { sku_weekly = { suffix = "", stages = { predict = { memory_gib = 16 } } } }
  }
}

run "an_account_that_is_none" {
  command         = plan
  expect_failures = [var.use_cases]
  variables {
    use_cases = { sku_weekly = { suffix = "", stages = { train = { account = "owner" } } } }
  }
}

run "a_schedule_of_four_fields" {
  command         = plan
  expect_failures = [var.use_cases]
  variables {
    use_cases = { sku_weekly = { suffix = "", stages = { predict = { cron = "0 22 * *" } } } }
  }
}

run "a_budget_of_nothing" {
  command         = plan
  expect_failures = [var.budget]
  variables {
    budget = { billing_account = "012345-6789AB-CDEF01", amount = 0 }
  }
}

run "a_byte_limit_below_what_any_query_bills" {
  command         = plan
  expect_failures = [var.maximum_bytes_billed]
  variables {
    maximum_bytes_billed = 1000
  }
}

run "the_latest_version_of_a_secret" {
  command         = plan
  expect_failures = [var.weather_key_version]
  variables {
    weather_key_version = "latest"
  }
}

run "a_version_of_a_secret_that_is_not_made" {
  command         = plan
  expect_failures = [google_cloud_run_v2_job.job]
  variables {
    weather_key_version = "1"
  }
}

run "a_stage_that_does_nothing" {
  command         = plan
  expect_failures = [google_cloud_run_v2_job.job]
  variables {
    use_cases = { sku_weekly = { suffix = "", stages = { mine = { job = "mine" } } } }
  }
}

run "a_loader_of_plans_without_an_inbox" {
  command         = plan
  expect_failures = [google_cloud_run_v2_job.job]
  variables {
    settings = {}
  }
}

run "a_loader_of_weather_that_fetches_none" {
  command         = plan
  expect_failures = [google_cloud_run_v2_job.job]
  variables {
    use_cases = { sku_weekly = { suffix = "", stages = { fetch_weather = { enabled = true } } } }
  }
}

run "a_repository_without_its_number" {
  command         = plan
  expect_failures = [var.github]
  variables {
    github = { repository = "distributor/forecasting", repository_id = "distributor/forecasting" }
  }
}

run "a_group_for_an_address" {
  command         = plan
  expect_failures = [var.notification_emails]
  variables {
    notification_emails = ["group:planners"]
  }
}

run "no_word_of_failed_runs" {
  command         = plan
  expect_failures = [var.alerts_left_out]
  variables {
    alerts_left_out = ["run_failed"]
  }
}
