"""Each rewrite, SQL in and SQL out; what the results are is checked against the engines."""

import re

import pytest

from emulators.bigquery import sql
from emulators.bigquery.sql import text
from emulators.bigquery.sql.dbt import split_overwrite
from emulators.bigquery.sql.functions import enclose_operands


def flat(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()


def start_of_week(date: str, offset: int) -> str:
    day = f"cast({date} as date)"
    return f"date_sub({day}, interval mod(extract(dayofweek from {day}) + {offset}, 7) day)"


def monday(date: str) -> str:
    return start_of_week(date, 5)


def sunday(date: str) -> str:
    return start_of_week(date, 6)


class TestMask:
    @pytest.mark.parametrize(
        "opaque",
        [
            "'a -- b'",
            '"it\'s"',
            r"'it\'s'",
            "'''tri'ple'''",
            '"""a "quoted" -- one"""',
            r"r'\d+'",
            "-- comment 'open",
            "/* a\n b */",
            "# old style",
        ],
    )
    def test_strings_and_comments_are_blank_and_offsets_stay(self, opaque):
        masked = text.mask(f"select {opaque}\n, x")
        assert len(masked) == len(f"select {opaque}\n, x")
        assert flat(masked) == "select , x"

    def test_a_comment_in_a_string_is_no_comment(self):
        assert text.strip_comments("select 'a -- b', '/* c */'") == "select 'a -- b', '/* c */'"

    def test_comments_go_and_lines_stay(self):
        stripped = text.strip_comments("select 1 -- one\n/* two\nlines */ , 2 # three\n, 3")
        assert flat(stripped) == "select 1 , 2 , 3"
        assert stripped.count("\n") == 3

    def test_names_in_backticks_stay(self):
        assert text.mask("select `a-b`.`c`") == "select `a-b`.`c`"

    def test_statements_split_outside_strings(self):
        parts = text.statements("select ';'; select 2 -- ;\n;")
        assert [flat(part) for part in parts] == ["select ';'", "select 2 -- ;", ""]


class TestDates:
    @pytest.mark.parametrize(
        ("before", "after"),
        [
            ("date_trunc(d, week(monday))", monday("d")),
            ("DATE_TRUNC(d, ISOWEEK)", monday("d")),
            ("date_trunc(d, week)", sunday("d")),
            ("date_trunc( f(a, 'x)') , week(sunday) )", sunday("f(a, 'x)')")),
            ("date_trunc(d, month)", "cast(date_trunc(d, month) as date)"),
            ("date_trunc(d, nonsense(x))", "cast(date_trunc(d, nonsense(x)) as date)"),
            (
                "date_trunc(date_trunc(d, month), week(monday))",
                monday("cast(date_trunc(d, month) as date)"),
            ),
            ("timestamp_trunc(d, week)", "timestamp_trunc(d, week)"),
            ("'date_trunc(d, week)'", "'date_trunc(d, week)'"),
            ("date_diff(a, b, day)", "date_diff(a, b, day)"),
            (
                "date_diff(a, b, week(monday))",
                f"div(date_diff({monday('a')}, {monday('b')}, day), 7)",
            ),
            ("last_day(d)", "last_day(d)"),
            ("last_day(d, month)", "last_day(d, month)"),
            ("last_day(d, isoweek)", f"date_add({monday('d')}, interval 6 day)"),
            (
                "timestamp_diff(a, b, hour)",
                "div(timestamp_diff(a, b, microsecond), 3600000000)",
            ),
            ("timestamp_diff(a, b, microsecond)", "timestamp_diff(a, b, microsecond)"),
        ],
    )
    def test_rewrites(self, before, after):
        assert flat(sql.rewrite(f"select {before} as x")) == f"select {after} as x"

    def test_the_partition_of_a_table_stays_and_its_query_changes(self):
        create = "create table t partition by date_trunc(d, month) as select date_trunc(d, month)"
        assert sql.rewrite(create) == (
            "create table t partition by date_trunc(d, month) "
            "as select cast(date_trunc(d, month) as date)"
        )

    def test_a_windows_partition_changes(self):
        over = "select sum(y) over (partition by date_trunc(d, month))"
        assert "partition by cast(date_trunc" in sql.rewrite(over)

    def test_an_unclosed_call_is_left_to_the_parser(self):
        assert sql.rewrite("select date_trunc(d, week") == "select date_trunc(d, week"


class TestTables:
    def test_a_contract_becomes_casts(self):
        create = """
            create or replace table `p`.`d`.`t`
            (ds date not null, n numeric(10, 2), j json, l array<struct<a int64, b string>>)
            partition by date_trunc(ds, month)
            OPTIONS(description='''as (x)''')
            as (
              select ds, n, j, l from (select 1) as model_subq
            )"""
        assert flat(sql.rewrite(create)) == flat("""
            create or replace table `p`.`d`.`t`
            partition by date_trunc(ds, month) OPTIONS(description='''as (x)''') as
            select cast(ds as date) as ds, cast(n as numeric(10, 2)) as n, j,
            cast(l as array<struct<a int64, b string>>) as l from (
              select ds, n, j, l from (select 1) as model_subq )
        """)

    def test_parentheses_that_hold_parts_of_a_query_stay(self):
        create = "create table t (a int64) as (select 1 as a) union all (select 2)"
        assert flat(sql.rewrite(create)) == (
            "create table t as select cast(a as int64) as a from "
            "( (select 1 as a) union all (select 2) )"
        )

    @pytest.mark.parametrize(
        "create",
        [
            "create table t (a int64)",
            "create table t as select 1 as a",
            "create table t as (select 1 as a)",
            "create table t cluster by a as (select 1 as a)",
            "create view v as (select 1 as a)",
        ],
    )
    def test_other_tables_stay(self, create):
        assert sql.rewrite(create) == create

    @pytest.mark.parametrize(
        ("before", "after"),
        [
            (
                "create table t (a int64, primary key (a) not enforced)",
                "create table t (a int64 )",
            ),
            (
                "create table t (a int64 primary key not enforced, b int64)",
                "create table t (a int64 , b int64)",
            ),
            (
                "create table t (constraint k primary key (a, b) not enforced, a int64)",
                "create table t ( a int64)",
            ),
            (
                "create table t (a int64, foreign key (a) references `p.d.u` (b) not enforced,"
                " b int64 references d.u (c) not enforced)",
                "create table t (a int64 , b int64 )",
            ),
            ("alter table t add primary key (a) not enforced", "select 1"),
            ("alter table t drop primary key", "select 1"),
            ("select 'not enforced'", "select 'not enforced'"),
        ],
    )
    def test_keys_that_bigquery_only_notes_are_dropped(self, before, after):
        assert flat(sql.rewrite(before)) == after

    def test_each_change_of_an_alter_is_a_statement(self):
        alter = "alter table d.t add column a numeric(5, 2), add column b string"
        assert sql.rewrite(alter) == (
            "alter table d.t add column a numeric(5, 2); alter table d.t add column b string"
        )

    @pytest.mark.parametrize(
        ("before", "after"),
        [
            ("cast(a as numeric)", "cast(a as numeric(38, 9))"),
            ("safe_cast(a as DECIMAL )", "safe_cast(a as DECIMAL(38, 9) )"),
            ("array<numeric>[1]", "array<numeric(38, 9)>[1]"),
            ("cast(a as numeric(10, 2))", "cast(a as numeric(10, 2))"),
            ("numeric '1.5'", "numeric '1.5'"),
            ("numeric, x.numeric", "numeric, x.numeric"),
        ],
    )
    def test_numeric_keeps_its_nine_decimals(self, before, after):
        assert sql.rewrite(f"select {before}") == f"select {after}"

    def test_altered_tables_are_found_in_scripts(self):
        script = (
            "select 1; alter table `p`.`d`.`t` add column a int64; alter table d.u drop column b"
        )
        assert sql.altered_tables(script) == {("p", "d", "t"), ("d", "u")}
        assert sql.altered_tables("alter table d.t set options (description='a column')") == set()


class TestQueries:
    def test_dbts_partitions_to_replace(self):
        script = """
            declare dbt_partitions_for_replacement array<date>;
            set (dbt_partitions_for_replacement) = (
                select as struct
                    -- IGNORE NULLS: this needs to be aligned to _dbt_max_partition
                    array_agg(distinct date_trunc(ds, month) IGNORE NULLS)
                from `p`.`d`.`t__dbt_tmp`
            )"""
        month = "cast(date_trunc(ds, month) as date)"
        assert flat(sql.rewrite(script)) == flat(f"""
            declare dbt_partitions_for_replacement array<date>;
            set (dbt_partitions_for_replacement) = (
                select array_agg(distinct {month}) from `p`.`d`.`t__dbt_tmp`
                where {month} is not null
            )""")

    def test_countif_over_a_window_is_a_count(self):
        query = "select countif(a > 1), countif(b in (1, 2)) over (order by c)"
        assert sql.rewrite(query) == (
            "select countif(a > 1), count(if(b in (1, 2), 1, null)) over (order by c)"
        )

    def test_tables_view_comes_from_information_schema(self):
        query = sql.rewrite("select * from `p`.`d`.__TABLES__ where table_id = 't'")
        assert "from `p`.`d`.INFORMATION_SCHEMA.TABLES) where table_id = 't'" in query

    def test_grants_do_nothing(self):
        grant = "/* dbt */ grant `roles/bigquery.dataViewer` on table `p`.`d`.`t` to 'user:a'"
        assert sql.rewrite(grant) == "select 1"

    @pytest.mark.parametrize(
        ("query", "reads", "is_one_write"),
        [
            ("select 1", True, False),
            ("-- why\n(select 1);", True, False),
            ("with a as (select 1) select * from a", True, False),
            ("insert into t select 1", False, True),
            ("create or replace table t as select 1;", False, True),
            ("merge t using u on false when not matched then insert row", False, True),
            ("select 1; select 2", False, False),
            ("insert into t select 1; insert into t select 2", False, False),
            (
                "begin transaction; delete from t where true; insert into t select 1; commit;",
                False,
                True,
            ),
            ("begin; insert into t select 1; commit transaction", False, True),
            ("begin transaction; insert into t select 1", False, False),
            ("insert into t select 1; begin transaction; commit", False, False),
            ("begin transaction; rollback; insert into t select 1; commit", False, False),
            ("begin insert into t select 1; exception when error then select 1; end", False, False),
            ("create or replace materialized view v as select 1", False, False),
            ("create function f() as (1)", False, False),
        ],
    )
    def test_what_a_statement_does(self, query, reads, is_one_write):
        assert (sql.only_reads(query), sql.is_one_write(query)) == (reads, is_one_write)


class TestWholeDivision:
    @pytest.mark.parametrize(
        ("before", "after"),
        [
            ("div(a - b, 7)", "div((a - b), 7)"),
            ("div(f(a) - g(b), 7)", "div((f(a) - g(b)), 7)"),
            ("div(date_diff(a, b, day), 7)", "div(date_diff(a, b, day), 7)"),
            ("div(t.a, 7)", "div(t.a, 7)"),
            ("div(div(a + 2, 2) + 1, 3)", "div((div((a + 2), 2) + 1), 3)"),
        ],
    )
    def test_an_operand_of_several_parts_is_put_in_parentheses(self, before, after):
        assert enclose_operands(before) == after


class TestOverwrite:
    MERGE = """
    merge into `p`.`d`.`t` as DEST
        using (select * from `p`.`d`.`t__tmp`) as SOURCE
        on FALSE
    when not matched by source
         and date(DEST.origin_date) in unnest(replaced)
        then delete
    when not matched then insert
        (`a`, `origin_date`)
    values
        (`a`, `origin_date`)
    """

    def test_partitions_are_deleted_and_inserted_in_one_transaction(self):
        assert flat(split_overwrite(self.MERGE)) == flat(
            """
            begin transaction;
            delete from `p`.`d`.`t` where date(origin_date) in unnest(replaced);
            insert into `p`.`d`.`t` (`a`, `origin_date`)
            select `a`, `origin_date` from (select * from `p`.`d`.`t__tmp`);
            commit transaction
            """
        )

    def test_a_merge_on_a_key_stays(self):
        merge = self.MERGE.replace("on FALSE", "on SOURCE.a = DEST.a")
        assert split_overwrite(merge) == merge
