# One complete deployment: a distributor's weekly forecasts, in Mumbai, by Moscow's clock.
# Copy it, change what differs, and keep it beside your other deployments' files.

project   = "distributor-forecasting"
region    = "asia-south1"
time_zone = "Europe/Moscow"
dataset   = "rich"

models_bucket  = "distributor-forecasting-models"
staging_bucket = "distributor-forecasting-staging"
repository     = "forecasting"

# Null on the first apply; then the digest that the push printed (../../README.md).
image = "asia-south1-docker.pkg.dev/distributor-forecasting/forecasting/shelfcast@sha256:0000000000000000000000000000000000000000000000000000000000000000"

# Paused until `shelfcast doctor --go-live` finds nothing.
schedules_enabled = false

use_cases = {
  sku_weekly = {
    suffix = "" # predict-weekly, monitor-performance, retrain-models
    stages = {
      load_plans = { enabled = true }
    }
  }
}

settings = {
  publish = {
    distributor_forecasts_weekly          = "rich.distributor_forecasts_weekly"
    distributor_model_performance_metrics = "rich.distributor_model_performance_metrics"
  }
  use_cases = {
    sku_weekly = {
      # Wednesday 22:00, and the schedule follows it.
      schedule   = { weekday = "wednesday", time = "22:00" }
      alerts     = { wape = 0.7, periods = 2 }
      retraining = { max_series = 50 }
      # What load_plans reads: a folder of the staging bucket. The rest of the source stays as it is.
      sources = { promotions = { inbox = "gs://distributor-forecasting-staging/inbox" } }
    }
  }
}

planners            = ["group:planners@distributor.example"]
analysts            = ["group:analysts@distributor.example"]
operators           = ["group:forecast-operators@distributor.example"]
uploaders           = ["group:planners@distributor.example"]
notification_emails = ["forecasting@distributor.example"]
runbook_url         = "https://github.com/distributor/forecasting/blob/main/deploy/runbook.md"

labels = { cost_centre = "planning" }
