# An account a kind of work, so that each may do what its work needs and nothing else (grants.tf).

locals {
  accounts = {
    predict = "Issues the week's forecasts: dbt before, refit, predict, dbt after."
    monitor = "Scores issued forecasts and logs alerts; looks for missing runs."
    train   = "Trains, retrains and promotes models."
    load    = "Loads plans and weather: the only one that writes the raw dataset."
    runner  = "Starts the scheduled jobs. It cannot change what they do."
    keeper  = "Takes a snapshot of the logs each day. It cannot change them."
  }

  # Spelled out, so that a plan can show who gets what before the accounts exist.
  emails = { for name in keys(local.accounts) : name => "${var.name}-${name}@${var.project}.iam.gserviceaccount.com" }
}

resource "google_service_account" "account" {
  for_each = local.accounts

  project      = var.project
  account_id   = "${var.name}-${each.key}"
  display_name = "Shelfcast ${each.key}"
  description  = each.value

  depends_on = [google_project_service.api]
}
