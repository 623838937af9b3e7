# The API knows projects by number: an id would be a change in every plan.
data "google_project" "this" {
  count = var.budget == null ? 0 : 1

  project_id = var.project
}

resource "google_billing_budget" "month" {
  provider = google.billing
  count    = var.budget == null ? 0 : 1

  billing_account = var.budget.billing_account
  display_name    = "Shelfcast ${var.name}"

  budget_filter {
    projects        = ["projects/${data.google_project.this[0].number}"]
    calendar_period = "MONTH"
  }

  amount {
    specified_amount {
      currency_code = var.budget.currency
      units         = tostring(floor(var.budget.amount))
    }
  }

  dynamic "threshold_rules" {
    for_each = [
      { share = 0.5, basis = "CURRENT_SPEND" },
      { share = 0.9, basis = "CURRENT_SPEND" },
      { share = 1.0, basis = "CURRENT_SPEND" },
      { share = 1.0, basis = "FORECASTED_SPEND" },
    ]

    content {
      threshold_percent = threshold_rules.value.share
      spend_basis       = threshold_rules.value.basis
    }
  }

  all_updates_rule {
    # Five at most; who administers the billing account is told anyway.
    monitoring_notification_channels = slice(local.channels, 0, min(5, length(local.channels)))
    disable_default_iam_recipients   = false
  }

  depends_on = [google_project_service.api]
}
