"""Syntax trees are parsed once, and copied as deepcopy copies them."""

import copy

import pytest
import sqlglot
from sqlglot.dialects import Dialect
from sqlglot.parsers.bigquery import BigQueryParser

from emulators.bigquery.trees import (
    quick_copy,
    remember_trees,
    share_trees,
    unnest_no_query,
    unnest_where_it_matters,
)


@pytest.fixture
def parsed_as_here(monkeypatch):
    monkeypatch.setattr(BigQueryParser, "SUPPORTS_IMPLICIT_UNNEST", unnest_no_query(True))
    monkeypatch.setattr(Dialect, "parse", unnest_where_it_matters(Dialect.parse))


class TestImplicitUnnest:
    @pytest.mark.parametrize(
        "query",
        [
            "select * from t, t.l",
            "select * from (select * from u, u.l) as t, t.l as x",
            "select * from d.t as t cross join t.l",
            "select * from t join u on t.a = u.a",
            "select * from t, u",
            "select * from t, unnest(t.l) as x",
            "with a as (select * from t, t.l) select * from a join d.b using (k)",
        ],
    )
    def test_queries_parse_as_before(self, query, request):
        before = sqlglot.parse_one(query, read="bigquery")
        request.getfixturevalue("parsed_as_here")
        assert sqlglot.parse_one(query, read="bigquery") == before

    def test_without_it_an_implicit_unnest_is_a_table(self, monkeypatch):
        before = sqlglot.parse_one("select * from t, t.l", read="bigquery")
        monkeypatch.setattr(BigQueryParser, "SUPPORTS_IMPLICIT_UNNEST", unnest_no_query(True))
        assert sqlglot.parse_one("select * from t, t.l", read="bigquery") != before

    def test_another_dialect_is_left_alone(self, parsed_as_here):
        tree = sqlglot.parse_one("select * from t, t.l", read="duckdb")
        assert tree.find(sqlglot.exp.Unnest) is None

    @pytest.mark.usefixtures("parsed_as_here")
    def test_a_subquery_is_not_copied(self, monkeypatch):
        def fail(*_arguments: object) -> None:
            raise AssertionError

        monkeypatch.setattr(sqlglot.exp.Subquery, "__deepcopy__", fail)
        sqlglot.parse_one("select * from (select 1 as a) as t, u join v on u.a = v.a", "bigquery")


class TestRememberedTrees:
    SQL = "select a.b as c from `p`.`d`.`t` as a where a.b > 1"

    def test_each_text_is_parsed_once_and_a_change_stays_with_its_copy(self):
        asked = []

        def parse(sql, read):
            asked.append(sql)
            return sqlglot.parse(sql, read=read)[0]

        parse_one = remember_trees(parse)
        first, second = (parse_one(self.SQL, read="bigquery") for _ in range(2))
        assert first == second == sqlglot.parse(self.SQL, read="bigquery")[0]
        first.args["where"].pop()
        assert parse_one(self.SQL, dialect="bigquery") == second
        assert asked == [self.SQL]

    def test_who_only_looks_gets_the_tree_itself(self, monkeypatch):
        monkeypatch.setattr(sqlglot, "parse_one", remember_trees(sqlglot.parse_one))
        sharing = share_trees(sqlglot)
        tree = sharing.parse_one(self.SQL, read="bigquery")
        assert tree is sharing.parse_one(self.SQL, read="bigquery")
        assert tree is not sqlglot.parse_one(self.SQL, read="bigquery")
        assert sharing.errors is sqlglot.errors

    def test_positions_are_forgotten_and_notes_are_kept(self):
        def parse(dialect, sql):
            (tree,) = Dialect.parse(dialect, sql)
            assert any("line" in node.meta for node in tree.walk())
            tree.meta["nonnull"] = True
            return [tree]

        (tree,) = unnest_where_it_matters(parse)(Dialect.get_or_raise("bigquery"), self.SQL)
        assert tree.meta == {"nonnull": True}
        assert not any("line" in node.meta for node in tree.walk())


class TestQuickCopy:
    QUERIES = (
        "select a, b.c as d /* why */ from t join u using (k) where a in (1, 2) group by 1",
        "create table p.d.t (a int64 not null, b struct<x string>) partition by date(a)",
        "select sum(a) over (partition by b order by c) from unnest([1, 2]) as a",
    )

    @pytest.mark.parametrize("query", QUERIES)
    def test_is_what_deepcopy_makes(self, query):
        tree = sqlglot.parse_one(query, read="bigquery")
        tree.find(sqlglot.exp.Identifier).meta["noted"] = ["a list"]
        slow, quick = copy.deepcopy(tree), quick_copy(None)(tree, {})
        assert quick == slow
        assert [described(node) for node in quick.walk()] == [
            described(node) for node in slow.walk()
        ]

    @pytest.mark.parametrize("query", QUERIES)
    def test_shares_nothing_that_changes_with_the_original(self, query):
        tree = sqlglot.parse_one(query, read="bigquery")
        before = tree.sql(dialect="bigquery")
        made = quick_copy(None)(tree, {})
        for identifier in made.find_all(sqlglot.exp.Identifier):
            identifier.set("this", "changed")
            identifier.meta["noted"] = True
            identifier.add_comments(["changed"])
        assert tree.sql(dialect="bigquery") == before
        assert not any(node.meta.get("noted") for node in tree.walk())


def described(node):
    parent = node.parent and type(node.parent)
    return type(node), parent, node.arg_key, node.index, node.comments, node._meta, node._type
