"""Two applications that know nothing of Sekisho, over the same synthetic customers, and what is asked of them."""

import json
import random
import sqlite3
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote, urlencode

from referee import customers, product

Request = tuple[str, str, bytes]


class Datasette:
    """Datasette over SQLite: HTML, JSON in four shapes, streaming CSV, facets, search, free SQL."""

    name = "datasette"

    def __init__(self, folder: Path, port: int, rows: list[dict[str, str]], rng: random.Random):
        self.folder, self.port, self.rows, self.rng = folder, port, rows, rng
        self.database = folder / "crm.db"
        self.more: list = []

    def prepare(self) -> None:
        with sqlite3.connect(self.database) as db:
            columns = list(customers.COLUMNS)
            db.execute(f"CREATE TABLE customers ({', '.join(columns)}, PRIMARY KEY (customer_no))")
            written = [customers.as_written(row, self.rng) for row in self.rows]
            db.executemany(f"INSERT INTO customers VALUES ({','.join('?' * len(columns))})", [list(row.values()) for row in written])
            db.execute("CREATE TABLE inquiries (id INTEGER PRIMARY KEY, customer_no, subject, text)")
            db.executemany("INSERT INTO inquiries VALUES (?, ?, ?, ?)", inquiries(written, self.rng))
            db.execute("CREATE TABLE staff (id INTEGER PRIMARY KEY, name, email, extension)")
            db.executemany("INSERT INTO staff VALUES (?, ?, ?, ?)", staff(self.rng))
            db.execute("CREATE VIRTUAL TABLE inquiries_fts USING fts5(subject, text, content='inquiries', content_rowid='id')")
            db.execute("INSERT INTO inquiries_fts(inquiries_fts) VALUES ('rebuild')")
        db.close()

    @contextmanager
    def running(self):
        command = [
            product.CACHE / "venv" / "bin" / "datasette", "serve", self.database, "--port", self.port,
            "--setting", "sql_time_limit_ms", "10000", "--setting", "max_returned_rows", "2000", *self.more,
        ]
        with product.running(command, self.port, self.folder / "datasette.log"):
            yield

    def requests(self) -> list[Request]:
        """One varied request; a list because some belong together."""
        kind = self.rng.choice([self.table, self.table, self.row, self.filtered, self.search, self.facet, self.csv, self.sql, self.sql, self.sql, self.join])
        return [("GET", kind(), b"")]

    def form(self) -> str:
        return self.rng.choice(["", ".json", ".csv"])

    def shape(self, form: str) -> list[tuple[str, str]]:
        if form != ".json":
            return []
        return [("_shape", self.rng.choice(["arrays", "objects", "array", "object", "arrayfirst"]))] + self.rng.choice([[], [("_nl", "on")]])

    def page(self) -> list[tuple[str, str]]:
        column = self.rng.choice(list(customers.COLUMNS))
        options = [("_size", str(self.rng.randint(1, 40)))]
        options += self.rng.choice([[], [("_sort", column)], [("_sort_desc", column)]])
        options += self.rng.choice([[], [("_next", self.rng.choice(self.rows)["customer_no"])]])
        options += self.rng.choice([[], [("_col", self.rng.choice(list(customers.COLUMNS))) for _ in range(2)], [("_nocol", "customer_no")]])
        return options

    def table(self) -> str:
        form = self.form()
        table = self.rng.choice(["customers", "customers", "inquiries", "staff"])
        options = self.page() if table == "customers" else [("_size", "20")]
        return f"/crm/{table}{form}?" + urlencode(options + self.shape(form))

    def row(self) -> str:
        form = self.rng.choice(["", ".json"])
        return f"/crm/customers/{self.rng.choice(self.rows)['customer_no']}{form}"

    def filtered(self) -> str:
        row, form = self.rng.choice(self.rows), self.form()
        column = self.rng.choice(["name", "name_kana", "email", "phone", "birth_date", "customer_no"])
        test = self.rng.choice(["exact", "contains", "startswith", "not", "gte"])
        value = row[column] if test == "exact" else row[column][: self.rng.randint(1, 9)]
        # Space as `+` or as `%20`: both are the same value in the echo.
        encode = self.rng.choice([urlencode, lambda pairs: "&".join(f"{k}={quote(v)}" for k, v in pairs)])
        return f"/crm/customers{form}?" + encode([(f"{column}__{test}", value), ("_size", "15"), *self.shape(form)])

    def search(self) -> str:
        row, form = self.rng.choice(self.rows), self.form()
        word = self.rng.choice([row["name_romaji"].split()[:1] or ["card"], [row["customer_no"]], ["本人"]])[0]
        return f"/crm/inquiries{form}?" + urlencode([("_search", f'"{word}"'), ("_size", "20"), *self.shape(form)])

    def facet(self) -> str:
        column = self.rng.choice(["name", "name_kana", "birth_date", "email"])
        return f"/crm/customers{self.rng.choice(['', '.json'])}?" + urlencode([("_facet", column), ("_size", "5")])

    def csv(self) -> str:
        if self.rng.random() < 0.02:
            return "/crm/customers.csv?_stream=on&_size=max"
        column, value = self.rng.choice([("birth_date__startswith", str(self.rng.randint(1945, 2004))), ("name__startswith", self.rng.choice(customers.SURNAMES)[0])])
        return "/crm/customers.csv?" + urlencode([("_stream", "on"), (column, value), ("_labels", "on")])

    def sql(self) -> str:
        where = self.rng.choice([
            f"customer_no = '{self.rng.choice(self.rows)['customer_no']}'",
            f"birth_date like '{self.rng.randint(1945, 2004)}-%'",
            f"rowid % {self.rng.randint(50, 200)} = 3",
            f"name like '{self.rng.choice(customers.SURNAMES)[0]}%'",
        ])
        what = self.rng.choice([
            "*", "name", "email", "name, email", "name as n, phone as p", "upper(email) as e", "lower(email), birth_date",
            "'x' || email || 'y' as joined", "'<' || email || '>' as link", "email || ';' || name as both", "name || email as both",
            "replace(card_number, '-', '') as c", "substr(card_number, 1, 8) as part", "hex(email) as h", "name_kana, customer_no",
            "name_romaji || ' (' || customer_no || ')' as label", "json_object('m', email, 'n', name, 'k', name_kana) as j",
            "api_token", "'Bearer ' || api_token as header", "phone || '-' || phone as twice", "address, birth_date",
            "'客: ' || name || ' 様 / ' || customer_no as t", "group_concat(email, ', ') as all_mails", "name, phone, card_number",
            "json_group_array(name) as names, max(customer_no) as last", "count(*) as n", "customer_no || '.5' as number",
        ])
        sql = f"select {what} from customers where {where} limit {self.rng.randint(1, 30)}"
        form = self.rng.choice(["", ".json", ".json", ".csv"])
        return f"/crm{form}?" + urlencode([("sql", sql), *self.shape(form)])

    def join(self) -> str:
        column, number = self.rng.choice(["email", "name", "phone"]), self.rng.randint(1, 399)
        sql = f"select c.{column}, i.text from customers c join inquiries i using (customer_no) where i.id between {number} and {number + 9}"
        form = self.form()
        return f"/crm{form}?" + urlencode([("sql", sql), *self.shape(form)])


class JsonServer:
    """npm json-server: pages, slices, sorts, full-text search, relations, and writes whose answer is their echo."""

    name = "json-server"

    def __init__(self, folder: Path, port: int, rows: list[dict[str, str]], rng: random.Random):
        self.folder, self.port, self.rows, self.rng = folder, port, rows, rng

    def prepare(self) -> None:
        written = [{"id": number, **customers.as_written(row, self.rng)} for number, row in enumerate(self.rows, 1)]
        orders = [
            {"id": n, "customerId": self.rng.randint(1, len(written)), "pair": self.rng.choice(["USDJPY", "EURJPY"]), "amount": self.rng.randint(1, 99) * 1000}
            for n in range(1, 2001)
        ]
        keys = ("id", "customer_no", "subject", "text")
        data = {"customers": written, "orders": orders, "inquiries": [dict(zip(keys, item)) for item in inquiries(written, self.rng)]}
        (self.folder / "db.json").write_text(json.dumps(data, ensure_ascii=self.rng.random() < 0.5), encoding="utf-8")

    @contextmanager
    def running(self):
        command = [product.CACHE / "npm" / "node_modules" / ".bin" / "json-server", "db.json", "--port", self.port, "--host", "127.0.0.1", "--quiet"]
        with product.running(command, self.port, self.folder / "json-server.log", cwd=self.folder):
            yield

    def requests(self) -> list[Request]:
        kind = self.rng.choice([self.page, self.page, self.one, self.full_text, self.like, self.relation, self.slice, self.inquiry])
        if self.rng.random() < 0.03:
            return self.write()
        return [("GET", kind(), b"")]

    def page(self) -> str:
        options = [("_page", str(self.rng.randint(1, 60))), ("_limit", str(self.rng.randint(1, 25)))]
        options += self.rng.choice([[], [("_sort", self.rng.choice(list(customers.COLUMNS))), ("_order", self.rng.choice(["asc", "desc"]))]])
        return "/customers?" + urlencode(options)

    def one(self) -> str:
        return f"/customers/{self.rng.randint(1, len(self.rows) + 5)}"

    def slice(self) -> str:
        begin = self.rng.randint(0, len(self.rows))
        return f"/customers?_start={begin}&_end={begin + self.rng.randint(0, 12)}"

    def full_text(self) -> str:
        row = self.rng.choice(self.rows)
        return "/customers?" + urlencode([("q", self.rng.choice([row["name"], row["email"], row["customer_no"], row["birth_date"]]))])

    def like(self) -> str:
        row, column = self.rng.choice(self.rows), self.rng.choice(["name", "name_kana", "email", "phone", "birth_date"])
        return "/customers?" + urlencode([(f"{column}_like", row[column][:6]), ("_limit", "20")])

    def relation(self) -> str:
        return self.rng.choice([f"/orders?_expand=customer&_page={self.rng.randint(1, 90)}&_limit=8", f"/customers/{self.rng.randint(1, 400)}?_embed=orders"])

    def inquiry(self) -> str:
        return f"/inquiries?_page={self.rng.randint(1, 30)}&_limit=10"

    def write(self) -> list[Request]:
        row = self.rng.choice(self.rows)
        body = json.dumps({"subject": "変更", "text": f"{row['name']} {row['email']}", "customer_no": row["customer_no"]}, ensure_ascii=self.rng.random() < 0.5)
        return [(self.rng.choice(["POST"]), "/inquiries", body.encode())]


def inquiries(rows: list[dict[str, str]], rng: random.Random) -> list[tuple]:
    """Free text as customers and staff write it: own data, other persons' names, numbers that are nobody's."""
    texts = [
        "{name}です。電話は{phone}です。", "メールを{email}に変えてください。", "口座 {customer_no} の{name}様より入電、本人確認済",
        "{name_romaji} called about order 2026112300012345.", "{other}様と同じ世帯です。よろしくお願いします。",
        "カードは {card_number} でした（{name_kana}）。", "{filler}{name}", "ログインできません。", "{customer_no}.5 / 1.{customer_no}",
    ]
    made = []
    for number in range(1, 400):
        row, other = rng.choice(rows), rng.choice(rows)
        text = rng.choice(texts).format(**row, other=other["name"], filler="取引の内容について確認したいことがあります。" * rng.randint(0, 20))
        made.append((number, row["customer_no"] if rng.random() < 0.8 else "", rng.choice(["変更", "照会", "card"]), text))
    return made


def staff(rng: random.Random) -> list[tuple]:
    """Persons in no register, with the same surnames."""
    return [
        (n, f"{rng.choice(customers.SURNAMES)[0]} {rng.choice(customers.GIVEN)[0]}", f"staff{n}@hakone-fx.example", f"{rng.randint(1000, 9999)}")
        for n in range(1, 60)
    ]
