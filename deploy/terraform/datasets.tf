# The datasets follow the folders of models/. Tables in them are dbt's; a destroy that would delete some
# fails (delete_contents_on_destroy).

locals {
  datasets = {
    raw       = "What comes in: sales, promotion plans, weather. Only the loader writes here."
    logs      = "What the jobs write: issued forecasts, models, runs. Append-only."
    staging   = "Sources renamed, cast, and what was rejected of them."
    features  = "The panels that models are trained on and forecast from."
    forecasts = "Forecasts, baselines, champions, the registry."
    metrics   = "How good the forecasts were, by lag."
    marts     = "What people read: one table a page of Looker Studio."
  }
}

resource "google_bigquery_dataset" "dataset" {
  for_each = local.datasets

  project                    = var.project
  dataset_id                 = "${var.dataset}_${each.key}"
  description                = each.value
  location                   = coalesce(var.bigquery_location, var.region)
  delete_contents_on_destroy = false

  depends_on = [google_project_service.api]
}

# Where `publish` of the settings puts a mart under another name.
resource "google_bigquery_dataset" "published" {
  for_each = local.published_datasets

  project                    = var.project
  dataset_id                 = each.key
  description                = "Forecasts and their accuracy, published by Shelfcast."
  location                   = coalesce(var.bigquery_location, var.region)
  delete_contents_on_destroy = false

  depends_on = [google_project_service.api]
}
