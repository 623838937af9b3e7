"""The emulator translates each text once: what is kept, and what it may be used for."""

import asyncio
import sqlite3
from datetime import date, timedelta
from types import SimpleNamespace

import pytest
from bqemulator.catalog import ddl_sync
from bqemulator.domain.errors import InvalidQueryError
from bqemulator.domain.result import Err
from bqemulator.jobs.executor import classify_statement_type
from bqemulator.jobs.routine_ddl import detect_drop_routine
from bqemulator.row_access.identity import CallerIdentity
from bqemulator.sql.catalog_schema import build_catalog_schema
from bqemulator.sql.rewriter.row_access_filter import rewrite_for_row_access
from bqemulator.sql.table_rewriter import rewrite_table_refs
from bqemulator.sql.translator import SQLTranslator

from emulators.bigquery import cache, translations
from emulators.bigquery import sql as rewriting
from emulators.bigquery.cache import TranslationCache
from emulators.bigquery.templates import template_of

STATEMENT = """
create or replace table `p-1`.`{0}_marts`.`accuracy` as
with sales as (select * from `p-1`.`{0}_raw`.`sales` where note != '{0}')
select sku_id, safe_divide(sum(y), count(*)) as mean, date_trunc(day, week(monday)) as week
from sales group by sku_id, week
"""


CACHE_OF_THIS_EMULATOR = cache.translations


class Asked:
    """Calls a function and counts how often."""

    def __init__(self, function):
        self.function, self.count = function, 0

    def __call__(self, *arguments, **options):
        self.count += 1
        return self.function(*arguments, **options)


class Catalog:
    """Tables by project, dataset and name; each has one column of a type."""

    def __init__(self, **kinds):
        self.kinds = kinds

    def get_table(self, project, dataset, table):
        kind = self.kinds.get(f"{dataset}_{table}")
        fields = [SimpleNamespace(name="y", type=kind)]
        return kind and SimpleNamespace(schema_=SimpleNamespace(fields=fields))


@pytest.fixture(autouse=True)
def nothing_kept(monkeypatch):
    """Nothing is known at first, and nothing goes to the user's own file."""
    in_memory = TranslationCache(None)
    monkeypatch.setattr(cache, "translations", lambda: in_memory)


def translated(original, sql, **options):
    return translations.translate_once(original)(SQLTranslator(), sql, **options)


def test_a_statement_on_other_datasets_is_not_translated_again():
    original = Asked(SQLTranslator.translate)
    for dataset in ("shelf", "other", "Third_1"):
        sql = STATEMENT.format(dataset).replace(f"'{dataset}'", "'x'")
        assert translated(original, sql) == SQLTranslator().translate(sql)
    assert original.count == 1


def test_the_time_of_day_in_a_temporary_table_is_a_name_too():
    original = Asked(SQLTranslator.translate)
    for made_at in ("204529939308", "204900847571"):
        table = f"`p`.`shelf`.`priors__dbt_tmp{made_at}`"
        for sql in (f"create table {table} as select 1 as x", f"drop table {table}"):
            result = translated(original, sql)
            assert result == SQLTranslator().translate(sql)
            assert f"priors__dbt_tmp{made_at}" in result.unwrap()
    assert original.count == 2


def test_only_paths_are_names_of_datasets():
    original = Asked(SQLTranslator.translate)
    for dataset in ("shelf", "other"):
        sql = STATEMENT.format(dataset)
        assert translated(original, sql) == SQLTranslator().translate(sql)
    assert original.count == 2  # the text says other things: note != 'shelf', note != 'other'


OF_A_DAY = (
    "select * from `p`.`d`.`t` where ds between '{0}' and date '{1}'",
    "select date_trunc(date '{0}', week(monday)) as w, date_trunc(ds, month) as m from t",
    "select date_add(date '{0}', interval 7 day) as a, date_diff(date '{1}', ds, day) as b from t",
    "select cast('{0}' as date) as a, date('{1}') as b, timestamp('{0} 22:00:00', 'UTC') as c",
    "select d from unnest(generate_date_array('{0}', '{1}', interval 7 day)) as d",
    "select format_date('%G-W%V', date '{0}') as w, extract(isoweek from date '{1}') as n",
    "select * from t where at < timestamp '{0} 19:00:20.123456+00:00' and at > '{1}T00:00:00Z'",
    "select if('{0}' < '{1}', 'then', 'now') as word, '{0}' = '{1}' as same",
    "create table `p`.`d`.`t` partition by ds as select date '{0}' as ds, struct('{1}' as x) as s",
)


@pytest.mark.parametrize("sql", OF_A_DAY)
def test_a_statement_of_other_days_is_not_translated_again(sql):
    original, rewrite = Asked(SQLTranslator.translate), rewriting.rewrite
    days = [("2026-02-15", "2026-02-22"), ("2025-12-31", "2024-02-29")]
    for first, last in days:
        given = sql.format(first, last)
        assert translated(original, given) == SQLTranslator().translate(given)
        assert translations.rewrite_once(given) == rewrite(given)
    assert original.count == 1


def test_one_day_twice_is_another_text_than_two_days():
    def text(first, last):
        return template_of(f"select '2026-01-0{first}' as a, '2026-01-0{last}' as b").text

    assert text(1, 2) == text(2, 1) == text(8, 9)
    assert text(1, 1) == text(2, 2) != text(1, 2)


def test_a_day_within_a_longer_text_is_none():
    sql = "select 'on 2026-01-01' as a, `2026-01-01`.b from t -- since '2026-01-01 or so'"
    assert template_of(sql).text == sql


@pytest.mark.parametrize(("n_days", "are_replaced"), [(330, True), (340, False)])
def test_there_are_placeholders_for_a_year_of_days(n_days, are_replaced):
    days = [f"'{date(2026, 1, 1) + timedelta(days=n)} 0{n % 9}:00:00+03:00'" for n in range(n_days)]
    sql = f"select {', '.join(days)} from `p`.`d`.`t`"
    template = template_of(sql)
    assert template.fill(template.text) == sql
    is_replaced = (days[7] not in template.text, "`d`" not in template.text)
    assert is_replaced == (are_replaced, are_replaced)


def test_a_text_of_the_year_of_the_placeholders_is_left_as_it_is():
    sql = "select '1583-01-02' as word from `p`.`shelf`.`sales` where ds > '2026-01-01'"
    assert template_of(sql).text == sql
    assert translated(SQLTranslator.translate, sql) == SQLTranslator().translate(sql)


def test_a_statement_is_translated_again_for_columns_of_other_types():
    original = Asked(SQLTranslator.translate)
    sql = "select avg(y) as mean from `p`.`d`.`sales`"
    schemas = [{"sales": {"y": kind}} for kind in ("DOUBLE", "DECIMAL(38, 9)", "DOUBLE")]
    results = [translated(original, sql, schema=schema) for schema in schemas]
    assert results == [SQLTranslator().translate(sql, schema=schema) for schema in schemas]
    assert results[0] == results[2] != results[1]
    assert original.count == 2


def test_what_cannot_be_translated_is_refused_in_the_words_of_its_own_text():
    def refuse(_translator, sql, **_options):
        return Err(InvalidQueryError(f"cannot read {sql}"))

    sql = "select from `p`.`shelf`.`sales`"
    for _ in range(2):
        assert "`shelf`" in str(translated(refuse, sql).error)


def test_a_text_that_holds_a_placeholder_is_left_as_it_is():
    sql = "select 'shelfcast_placeholder_0_' as word from `p`.`shelf`.`sales`"
    assert template_of(sql).text == sql
    assert translated(SQLTranslator.translate, sql) == SQLTranslator().translate(sql)


def test_tables_are_named_as_duckdb_names_them():
    original = Asked(rewrite_table_refs)
    for dataset in ("shelf", "other"):
        sql = SQLTranslator().translate(STATEMENT.format(dataset)).unwrap()
        sql = sql.replace(f"'{dataset}'", "'x'")
        qualified = translations.qualify_once(original)(sql, "p-1")
        assert qualified == rewrite_table_refs(sql, "p-1")
        assert f'"p-1__{dataset}_raw"' in qualified
    assert original.count == 1


def test_the_columns_of_tables_are_asked_anew():
    original = Asked(build_catalog_schema)
    read = translations.read_tables_once(original)
    sql = "with s as (select * from `p`.`{0}`.`sales`) select * from s join other.x using (y)"
    for dataset, kind in (("a", "INTEGER"), ("a", "FLOAT"), ("b", "STRING"), ("c", None)):
        catalog = Catalog(**{f"{dataset}_sales": kind})
        asked = {"project_id": "p", "catalog": catalog}
        expected = build_catalog_schema(sql.format(dataset), **asked)
        assert read(sql.format(dataset), **asked) == expected
        assert bool(expected) is bool(kind)


def test_a_text_without_tables_has_no_columns():
    asked = {"project_id": "p", "catalog": Catalog()}
    read = translations.read_tables_once(build_catalog_schema)
    assert read("select 1", **asked) == read("select 1", **asked) == {}


class Views:
    """A catalog of views by `dataset.name`, with tables that have a policy."""

    def __init__(self, policies=(), **views):
        self.views = {name.replace("__", "."): body for name, body in views.items()}
        self.policies = policies

    def get_table(self, _project, dataset, table):
        body = self.views.get(f"{dataset}.{table}")
        return body and SimpleNamespace(table_type="VIEW", view_query=body)

    def list_row_access_policies(self, _project, dataset, table):
        if f"{dataset}.{table}" not in self.policies:
            return ()
        return (SimpleNamespace(grantees=("user:a@x",), filter_predicate="y > 1"),)


class TestViewsAndPolicies:
    ASK = staticmethod(lambda dataset: f"select * from `p`.`{dataset}`.`by_week` where y = 1")

    @pytest.fixture
    def original(self):
        return Asked(rewrite_for_row_access)

    @pytest.fixture
    def ask(self, original):
        """Rewrite for a caller, by what is kept and as the emulator does."""
        kept = translations.expand_once(original)

        def ask(sql, catalog, principal="user:a@x"):
            asked = {"project_id": "p", "caller": CallerIdentity(principal), "catalog": catalog}
            assert kept(sql, **asked) == rewrite_for_row_access(sql, **asked)
            return kept(sql, **asked)

        return ask

    def test_a_text_that_reads_tables_alone_is_read_once_and_left_alone(self, ask, original):
        for dataset in ("a", "b"):
            assert ask(self.ASK(dataset), Views()) == self.ASK(dataset)
        assert original.count == 1

    def test_a_view_and_what_it_reads_become_subqueries_once(self, ask, original):
        for dataset in ("a", "b"):
            catalog = Views(
                **{
                    f"{dataset}__by_week": f"select * from `p`.`{dataset}`.`rows` as r",
                    f"{dataset}__rows": f"select 1 as y from `p`.`{dataset}_raw`.`sales`",
                }
            )
            assert f"`{dataset}_raw`" in ask(self.ASK(dataset), catalog)
        assert original.count == 4  # the text; three texts for their tables

    def test_a_view_that_changes_is_expanded_anew(self, ask):
        for column in ("y", "z"):
            catalog = Views(a__by_week=f"select {column} from `p`.`a`.`rows`")
            assert f"SELECT {column}" in ask(self.ASK("a"), catalog)

    def test_what_policies_make_of_a_text_is_not_kept(self, ask):
        catalog = Views(policies=["a.rows"], a__by_week="select * from `p`.`a`.`rows`")
        assert "y > 1" in ask(self.ASK("a"), catalog)
        assert "y > 1" not in ask(self.ASK("a"), catalog, "user:b@x")

    def test_what_is_written_to_is_no_view_to_expand(self, ask):
        catalog = Views(a__by_week="select 1 as y")
        for sql in (
            "drop view `p`.`a`.`by_week`",
            "insert into `p`.`a`.`by_week` (y) select y from `p`.`a`.`rows`",
        ):
            assert ask(sql, catalog) == sql


@pytest.mark.parametrize(
    ("sql", "kind"),
    [
        ("select * from `p`.`{0}`.`t`", "SELECT"),
        ("create or replace table `p`.`{0}`.`t` as select 1 as y", "CREATE_TABLE_AS_SELECT"),
        ("merge `p`.`{0}`.`t` as t using x on false when matched then delete", "MERGE"),
        ("select select", ""),
    ],
)
def test_what_kind_a_statement_is_is_asked_once(sql, kind):
    original = Asked(classify_statement_type)
    for dataset in ("a", "b"):
        assert translations.classify_once(original)(sql.format(dataset)) == kind
    assert original.count == 1


def test_only_a_drop_is_looked_at_for_the_routine_that_it_drops():
    original = Asked(detect_drop_routine)
    detect = translations.only_drops(original)
    assert detect("\n drop function if exists `p`.`d`.`f`", "p").routine_id == "f"
    assert detect("drop table `p`.`d`.`t`", "p") is None
    assert detect("select 'drop function f'", "p") is None
    assert original.count == 2


def test_only_a_drop_is_looked_at_for_the_relation_that_it_drops():
    original = Asked(ddl_sync._detect_catalog_drop)
    detect = translations.only_dropped_relations(original)
    assert detect("\n drop table if exists `p`.`d`.`t`").this.name == "t"
    assert detect("drop function `p`.`d`.`f`") is None
    assert detect("select 'drop table t'") is None
    assert original.count == 2


@pytest.mark.parametrize(
    ("sql", "is_asked"),
    [
        ("select 1", False),
        ("create table t as select 1 as y", False),
        ("alter table t add column y int64", False),
        ("delete from t where true", True),
        ("truncate table t", True),
        ("begin transaction; delete from t where true; commit", True),
    ],
)
def test_only_what_may_change_rows_is_looked_at(sql, is_asked):
    looked_at = []

    async def look(_project, sql, _ctx):
        looked_at.append(sql)

    asyncio.run(translations.only_where_rows_change_async(look)("p", sql, None))
    translations.only_where_rows_change(lambda *given: looked_at.append(given[1]))("p", sql, None)
    assert looked_at == [sql] * 2 * is_asked


def test_a_text_is_rewritten_once_for_all_datasets(monkeypatch):
    rewrite = Asked(rewriting.rewrite)
    monkeypatch.setattr(rewriting, "rewrite", rewrite)
    for dataset in ("shelf", "other"):
        sql = f"-- why\ncreate table `p`.`{dataset}`.`t` (y numeric not null, primary key (y))"
        assert f"`{dataset}`" in translations.rewrite_once(sql)
        assert translations.rewrite_once(sql) == rewrite.function(sql)
    assert rewrite.count == 1


class TestTranslationCache:
    def test_what_one_emulator_kept_another_one_knows(self, tmp_path):
        first, second = (
            TranslationCache(tmp_path / "new" / "kept"),
            TranslationCache(tmp_path / "new" / "kept"),
        )
        first.put("duck", "translation", "big")
        assert second.get("translation", "big") == "duck"
        assert second.get("translation", "small") is None
        assert second.get("translationbig") is None

    def test_other_packages_translate_anew(self, tmp_path, monkeypatch):
        TranslationCache(tmp_path / "kept").put("duck", "big")
        monkeypatch.setattr(cache, "_TRANSLATOR", ["sqlglot 99"])
        assert TranslationCache(tmp_path / "kept").get("big") is None

    def test_a_file_that_is_none_leaves_the_memory(self, tmp_path):
        (tmp_path / "kept").write_bytes(b"no database" * 100)
        for path in (tmp_path / "kept", tmp_path / "kept" / "below a file"):
            kept = TranslationCache(path)
            kept.put("duck", "big")
            assert kept.get("big") == "duck"
            assert kept.get("small") is None

    def test_memory_holds_the_newest_and_the_file_all(self, tmp_path, monkeypatch):
        monkeypatch.setattr(cache, "MAX_IN_MEMORY", 10)
        without, with_file = TranslationCache(None), TranslationCache(tmp_path / "kept")
        for number in range(20):
            for kept in (without, with_file):
                kept.put(str(number), "text", str(number))
        held = [without.get("text", str(number)) for number in range(20)]
        assert held == [None] * 10 + [str(number) for number in range(10, 20)]
        assert [with_file.get("text", str(number)) for number in range(20)] == list(
            map(str, range(20))
        )

    def test_what_was_asked_for_longest_ago_goes_first(self, tmp_path, monkeypatch):
        monkeypatch.setattr(cache, "MAX_ON_DISK", 2)
        kept = TranslationCache(tmp_path / "kept")
        for word in ("one", "two", "three"):
            kept.put(word.upper(), word)
        with sqlite3.connect(tmp_path / "kept") as file:
            file.execute("update kept set asked_at = 0 where value = 'TWO'")
        later = TranslationCache(tmp_path / "kept")
        assert [later.get(word) for word in ("one", "two", "three")] == ["ONE", None, "THREE"]


def test_it_lies_in_the_users_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache.cache_file() == tmp_path / "shelfcast" / "translations.sqlite"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    expected = tmp_path / "home" / ".cache" / "shelfcast" / "translations.sqlite"
    assert cache.cache_file() == expected


def test_without_a_home_it_lies_in_memory(monkeypatch):
    def nobodys():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(cache.Path, "home", nobodys)
    CACHE_OF_THIS_EMULATOR.cache_clear()
    kept = CACHE_OF_THIS_EMULATOR()
    CACHE_OF_THIS_EMULATOR.cache_clear()
    kept.put("duck", "big")
    assert kept.get("big") == "duck"
