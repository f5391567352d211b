// litekeel/litekeel.hpp: values in and out, scopes, failures as exceptions. Runs in an empty directory; C++17.
#include <litekeel/litekeel.hpp>

#include <cstdio>
#include <limits>
#include <vector>
#include <unistd.h>

static int failures;
#define CHECK(what) \
    do { \
        if (!(what)) { \
            failures++; \
            std::fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #what); \
        } \
    } while (0)

template <class Exception, class Body> static bool throws(Body body) {
    try {
        body();
    } catch (const Exception &) {
        return true;
    }
    return false;
}

template <class Body> static std::int32_t code(Body body) {
    try {
        body();
    } catch (const keel::error &error) {
        return error.code();
    }
    return 0;
}

static std::int64_t count(keel::database &db) {
    auto rows = db.query("SELECT count(*) FROM visit");
    return rows.next() ? rows.current().get<std::int64_t>(0) : -1;
}

static void values(keel::database &db) {
    const std::string text("x\0y", 3);
    const std::optional<int> none;
    auto rows = db.query("SELECT ?, ?, ?, ?, ?, ?, ?, ?", 1, 2.5, text, "literal", nullptr, none, keel::blob{"\1\0", 2}, true);
    CHECK(rows.next());
    auto row = rows.current();
    CHECK(row.size() == 8 && row.get<int>(0) == 1 && row.get<double>(1) == 2.5 && row.get<double>(0) == 1.0);
    CHECK(row.get<std::string>(2) == text && row.get<std::string_view>(3) == "literal");
    CHECK(row.is_null(4) && row.is_null(5) && !row.get<std::optional<int>>(4) && *row.get<std::optional<int>>(0) == 1);
    const auto blob = row.get<keel::blob>(6);
    CHECK(blob.size == 2 && std::memcmp(blob.data, "\1\0", 2) == 0 && row.get<bool>(7));
    CHECK(throws<std::invalid_argument>([&] { row.get<int>(4); }) && throws<std::invalid_argument>([&] { row.get<int>(3); }));
    CHECK(throws<std::out_of_range>([&] { row.get<int>(8); }));
    CHECK(!rows.next());
    auto large = db.query("SELECT 300, -1, ?", std::numeric_limits<std::int64_t>::min());
    CHECK(large.next() && throws<std::out_of_range>([&] { large.current().get<std::uint8_t>(0); }));
    CHECK(throws<std::out_of_range>([&] { large.current().get<std::uint64_t>(1); }));
    CHECK(large.current().get<std::int64_t>(2) == std::numeric_limits<std::int64_t>::min());
    CHECK(throws<std::out_of_range>([&] { db.query("SELECT ?", std::numeric_limits<std::uint64_t>::max()); }));
    CHECK(code([&] { db.query("SELECT ?"); }) == KEEL_E_PACKED && code([&] { db.query("SELECT 1", 1); }) == KEEL_E_PACKED);
    CHECK(db.query("SELECT 'Ada' AS who").text() == "who\n---\nAda\n");
}

static void transactions(keel::database &db) {
    {
        keel::transaction tx(db);
        CHECK(db.query("INSERT INTO visit(who) VALUES(?)", "Ada").last_rowid() == 1);
    }
    CHECK(count(db) == 0);
    CHECK(throws<int>([&] {
        keel::transaction tx(db, KEEL_IMMEDIATE);
        db.query("INSERT INTO visit(who) VALUES(?)", "Ada");
        throw 1;
    }));
    CHECK(count(db) == 0);
    keel::transaction tx(db);
    for (const char *who : {"Ada", "Grace", "Edsger"}) CHECK(db.query("INSERT INTO visit(who) VALUES(?)", who).changes() == 1);
    tx.commit();
    std::vector<std::string> names;
    for (auto row : db.query("SELECT id, who FROM visit WHERE id > ? ORDER BY id", 1)) {
        auto [id, who] = row.as<std::int64_t, std::string>();
        CHECK(id == static_cast<std::int64_t>(names.size()) + 2);
        names.push_back(who);
    }
    CHECK((names == std::vector<std::string>{"Grace", "Edsger"}));
    int seen = 0;
    for (auto row : db.query_batches(1, "SELECT id FROM visit")) seen += row.get<int>(0);
    CHECK(seen == 6);
}

static void errors() {
    keel::database db("file:errors.db", keel::options().set("busy_timeout", "50ms"));
    db.exec("CREATE TABLE t(a)");
    keel::database other = db.sibling();
    keel::transaction holds(other, KEEL_IMMEDIATE);
    try {
        db.exec("INSERT INTO t VALUES(1)");
        CHECK(!"this waits in vain");
    } catch (const keel::error &error) {
        const keel::error copy = error;
        CHECK(copy.code() == 5 && std::string(copy.name()) == "SQLITE_BUSY" && std::string(copy.kind()) == "timeout");
        CHECK(copy.waited() >= 45 && std::string(copy.path()).find("errors.db") != std::string::npos);
        CHECK(copy.holders().find(std::to_string(getpid())) != std::string::npos);
        CHECK(std::string(copy.what()) == std::string(copy.message()) + "\n" + copy.hint());
    }
    CHECK(code([&] { db.check_sqlite(5); }) == 5 && code([&] { db.check_sqlite(100); }) == 0);
    CHECK(code([] { keel::database("file:x.db?busy_timeot=1"); }) == KEEL_E_UNKNOWN_PARAM);
    CHECK(code([] { keel::database(""); }) == KEEL_E_EMPTY_URL && code([] { keel::database(std::string_view()); }) == KEEL_E_EMPTY_URL);
    CHECK(code([&] { db.exec(std::string_view()); }) == 0);
    CHECK(db.report().text().find("busy_timeout") != std::string::npos && db.holders().next());
    CHECK(db.diagnose().text().find("database_file") != std::string::npos && db.sqlite() != nullptr);
    holds.rollback();
    keel::database moved = std::move(other);
    CHECK(other.get() == nullptr && code([&] { other.exec("SELECT 1"); }) == KEEL_E_HANDLE);
    moved.close();
    CHECK(code([&] { moved.close(); }) == KEEL_E_HANDLE);
    CHECK(keel_open_handles() == 1);
}

int main() {
    {
        keel::database db("file:data/app.db");
        db.exec_atomic("CREATE TABLE visit(id INTEGER PRIMARY KEY, who TEXT)");
        values(db);
        transactions(db);
        db.close();
    }
    errors();
    CHECK(keel_open_handles() == 0 && access("errors.db-wal", F_OK) != 0);
    return failures != 0;
}
