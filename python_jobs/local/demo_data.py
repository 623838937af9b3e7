"""A demo distributor: seeded sales, promotion plan and weather, written as CSV files.

    python -m python_jobs.local.demo_data --out .local/demo --today 2026-11-18

What a forecasting system should survive is in the files on purpose (late corrections, gaps,
stock-outs, dirty rows, a plan that changes), and `facts.json` lists it.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

import click
import pandas as pd

from python_jobs.local.demo.facts import DemoFacts, collect_facts
from python_jobs.local.demo.plan_files import soil_plan, upload_table
from python_jobs.local.demo.sales import sales_table, soil_sales
from python_jobs.local.demo.settings import DemoSettings
from python_jobs.local.demo.weather import weather_table
from python_jobs.local.demo.world import simulate

__all__ = ["DemoData", "DemoFacts", "DemoSettings", "generate"]


@dataclass(frozen=True)
class DemoData:
    """The paths of the files, and the facts injected into them."""

    sales: Path
    promotions: Path
    weather: Path
    facts_json: Path
    facts: DemoFacts


def generate(folder: Path, settings: DemoSettings, holidays_csv: Path | None = None) -> DemoData:
    """Write sales.csv, promotions.csv, weather_daily.csv and facts.json into `folder`.

    Args:
        folder: made if missing; files of the same names are replaced.
        settings: the same settings write the same bytes.
        holidays_csv: the holidays seed; the repository's own by default.

    Raises:
        FileNotFoundError: there is no holidays seed.
        ValueError: the seed does not reach the demo's years.
    """
    world = simulate(settings, holidays_csv)
    clean_sales = sales_table(settings, world.catalog, world.demand, world.recorded)
    clean_plan = upload_table(settings, world.catalog, world.plan, world.demand.regular_price)
    sales, dirty_sales = soil_sales(settings, world.kinds, clean_sales)
    promotions, dirty_promotions = soil_plan(settings, clean_plan)
    weather = weather_table(settings, world.catalog, world.temperature)
    tables = {"sales": sales, "promotions": promotions, "weather_daily": weather}
    n_rows = {name: len(table) for name, table in tables.items()}
    facts = collect_facts(settings, world, n_rows, dirty_sales, dirty_promotions)
    return _write(folder, tables, facts)


def _write(folder: Path, tables: dict[str, pd.DataFrame], facts: DemoFacts) -> DemoData:
    """Write every table as UTF-8 CSV (a null is an empty field), and the facts as JSON."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = {name: folder / f"{name}.csv" for name in tables}
    for name, table in tables.items():
        table.to_csv(paths[name], index=False, lineterminator="\n", encoding="utf-8")
    facts_json = folder / "facts.json"
    text = json.dumps(asdict(facts), ensure_ascii=False, indent=1, sort_keys=True)
    facts_json.write_text(text + "\n", encoding="utf-8", newline="\n")
    return DemoData(paths["sales"], paths["promotions"], paths["weather_daily"], facts_json, facts)


@click.command()
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), required=True)
@click.option("--today", type=click.DateTime(["%Y-%m-%d"]), required=True)
@click.option("--weeks", default=DemoSettings.weeks, show_default=True)
@click.option("--seed", default=DemoSettings.seed, show_default=True)
def main(out: Path, today: datetime, weeks: int, seed: int) -> None:
    """Write the demo's files, for example: --out .local/demo --today 2026-11-18."""
    data = generate(out, DemoSettings(today=today.date(), weeks=weeks, seed=seed))
    for name, n in data.facts.n_rows.items():
        click.echo(f"{out / name}.csv: {n} rows")


if __name__ == "__main__":
    main()
