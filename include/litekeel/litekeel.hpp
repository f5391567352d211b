// litekeel/litekeel.hpp: litekeel in C++17. Header-only, on the C functions of litekeel.h.
//
//   keel::database db("file:data/app.db");
//   db.exec("CREATE TABLE IF NOT EXISTS visit(id INTEGER PRIMARY KEY, who TEXT)");
//   keel::transaction tx(db);
//   db.query("INSERT INTO visit(who) VALUES(?)", "Ada");
//   tx.commit();
//   for (auto row : db.query("SELECT id, who FROM visit WHERE id > ?", 0)) {
//       auto [id, who] = row.as<int64_t, std::string>();
//   }
//   db.close();
//
// A failure throws keel::error, which carries what the C error object tells. Objects are moved, not copied, and end with
// their scope. Threads: as litekeel.h says; a rows object and its iterators belong to one thread at a time.
#ifndef LITEKEEL_HPP
#define LITEKEEL_HPP

#include <litekeel.h>
#include <litekeel/packed.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

namespace keel {

// The C objects, freed with their own functions.
struct deleter {
    void operator()(keel_db *db) const noexcept { keel_release(db); }
    void operator()(keel_rows *rows) const noexcept { keel_rows_free(rows); }
    void operator()(keel_error *error) const noexcept { keel_error_free(error); }
    void operator()(keel_options *options) const noexcept { keel_options_free(options); }
    void operator()(keel_databases *databases) const noexcept { keel_databases_close(databases, nullptr); }
};
template <class T> using owned = std::unique_ptr<T, deleter>;

// A failure. what() is the message and, on a second line, the hint.
class error : public std::runtime_error {
public:
    // Takes over the error object; NULL makes an error of the code alone.
    error(int32_t code, keel_error *object) : error(code, std::shared_ptr<keel_error>(object, keel_error_free)) {}

    int32_t code() const noexcept { return code_; }                              // SQLite's when positive, else KEEL_E_*
    const char *name() const noexcept { return keel_code_name(code_); }          // "SQLITE_BUSY"
    const char *message() const noexcept { return keel_error_message(object_.get(), nullptr); }
    const char *hint() const noexcept { return keel_error_hint(object_.get(), nullptr); }
    const char *path() const noexcept { return keel_error_path(object_.get(), nullptr); }
    const char *kind() const noexcept { return keel_error_kind(object_.get()); } // of a lock that could not be taken
    int64_t waited() const noexcept { return keel_error_waited(object_.get()); } // milliseconds, or -1
    int32_t offset() const noexcept { return keel_error_offset(object_.get()); } // the byte in the SQL or URL, or -1
    const keel_error *get() const noexcept { return object_.get(); }

    // Who held the lock, as a table for a log; "" when nobody was found.
    std::string holders() const {
        keel_rows *rows = nullptr;
        if (keel_error_holders(object_.get(), &rows, nullptr) != 0) return {};
        owned<keel_rows> found(rows);
        return keel_count_of(rows) ? keel_rows_text(rows, nullptr) : std::string();
    }

private:
    error(int32_t code, std::shared_ptr<keel_error> object)
        : std::runtime_error(sentence(code, object.get())), code_(code), object_(std::move(object)) {}

    static uint64_t keel_count_of(keel_rows *rows) {
        keel_cursor cursor = keel_cursor_of(rows);
        return keel_count(&cursor);
    }

    static std::string sentence(int32_t code, const keel_error *object) {
        std::string text = keel_error_message(object, nullptr), hint = keel_error_hint(object, nullptr);
        if (text.empty()) text = keel_code_name(code);
        return hint.empty() ? text : text + "\n" + hint;
    }

    int32_t code_;
    std::shared_ptr<keel_error> object_; // an exception is copied while it is thrown
};

// Throws when `code` is not 0, with the error object, which it takes over. By reference: in check(call(&object), object)
// C++ may read an argument before the call has written it.
inline void check(int32_t code, keel_error *&object) {
    if (code != 0) throw error(code, std::exchange(object, nullptr));
}

// The bytes of a blob, in or out. As a parameter they are copied; from a row they live as long as its rows.
struct blob {
    const void *data;
    std::size_t size;
};

template <class T> struct is_optional : std::false_type {};
template <class T> struct is_optional<std::optional<T>> : std::true_type {};

// One row of a result. Valid until its rows are freed or the next batch is fetched.
class row {
public:
    explicit row(const keel_cursor &cursor) : cursor_(cursor) {}

    std::uint32_t size() const { return keel_columns(&cursor_); }
    std::string_view name(std::uint32_t column) const { return keel_column_name(&cursor_, column); }
    bool is_null(std::uint32_t column) const { return keel_is_null(&cursor_, column) != 0; }
    int type(std::uint32_t column) const { return keel_type(&cursor_, column); }

    // The value as a T: an integer type, a floating type, std::string, std::string_view, keel::blob, or a std::optional
    // of one of them, which is empty for NULL. Throws std::invalid_argument for a value of another type, and
    // std::out_of_range for a column that does not exist or an integer that T cannot hold.
    template <class T> T get(std::uint32_t column) const {
        if (column >= size()) throw std::out_of_range("the row has no column " + std::to_string(column));
        if constexpr (is_optional<T>::value) {
            return is_null(column) ? T() : T(get<typename T::value_type>(column));
        } else if constexpr (std::is_same_v<T, bool>) {
            expect(column, type(column) == KEEL_INTEGER);
            return keel_int(&cursor_, column) != 0;
        } else if constexpr (std::is_integral_v<T>) {
            expect(column, type(column) == KEEL_INTEGER);
            const std::int64_t value = keel_int(&cursor_, column);
            const T narrow = static_cast<T>(value);
            if (static_cast<std::int64_t>(narrow) != value || (std::is_unsigned_v<T> && value < 0))
                throw std::out_of_range(std::to_string(value) + " does not fit the type asked for");
            return narrow;
        } else if constexpr (std::is_floating_point_v<T>) {
            expect(column, type(column) == KEEL_FLOAT || type(column) == KEEL_INTEGER);
            return static_cast<T>(keel_double(&cursor_, column));
        } else if constexpr (std::is_same_v<T, blob>) {
            expect(column, type(column) == KEEL_BLOB || type(column) == KEEL_TEXT);
            return blob{keel_blob(&cursor_, column), keel_bytes(&cursor_, column)};
        } else {
            static_assert(std::is_same_v<T, std::string> || std::is_same_v<T, std::string_view>, "no such conversion");
            expect(column, type(column) == KEEL_TEXT || type(column) == KEEL_BLOB);
            return T(keel_text(&cursor_, column), keel_bytes(&cursor_, column));
        }
    }

    // The first columns as a tuple: auto [id, who] = row.as<int64_t, std::string>();
    template <class... T> std::tuple<T...> as() const { return from<T...>(std::index_sequence_for<T...>()); }

private:
    template <class... T, std::size_t... I> std::tuple<T...> from(std::index_sequence<I...>) const {
        return std::tuple<T...>{get<T>(static_cast<std::uint32_t>(I))...};
    }

    void expect(std::uint32_t column, bool fits) const {
        static const char *const names[] = {"", "an integer", "a float", "a text", "a blob", "NULL"};
        if (!fits) throw std::invalid_argument("column " + std::string(name(column)) + " is " + names[type(column)]);
    }

    keel_cursor cursor_;
};

// The rows of a result, read whole or in batches. They can be iterated once.
class rows {
public:
    explicit rows(keel_rows *handle) : handle_(handle), cursor_(keel_cursor_of(handle)) {}

    class iterator {
    public:
        using iterator_category = std::input_iterator_tag;
        using value_type = keel::row;
        using difference_type = std::ptrdiff_t;
        using pointer = const keel::row *;
        using reference = keel::row;

        explicit iterator(rows *from) : from_(from) {}
        keel::row operator*() const { return keel::row(from_->cursor_); }
        iterator &operator++() {
            if (!from_->next()) from_ = nullptr;
            return *this;
        }
        void operator++(int) { ++*this; }
        bool operator==(const iterator &other) const { return from_ == other.from_; }
        bool operator!=(const iterator &other) const { return from_ != other.from_; }

    private:
        rows *from_;
    };

    iterator begin() { return iterator(next() ? this : nullptr); }
    iterator end() { return iterator(nullptr); }

    // Goes to the next row, whether there is one; the first call goes to the first.
    bool next() {
        keel_error *failure = nullptr;
        const std::int32_t code = keel_next(&cursor_, &failure);
        if (code != KEEL_ROW && code != KEEL_DONE) throw error(code, failure);
        return code == KEEL_ROW;
    }
    keel::row current() const { return keel::row(cursor_); }

    std::int64_t changes() const { return keel_changes(&cursor_); }
    std::int64_t last_rowid() const { return keel_last_rowid(&cursor_); }
    std::string text() const { return keel_rows_text(handle_.get(), nullptr); } // a table for a log
    keel_rows *get() const { return handle_.get(); }

private:
    owned<keel_rows> handle_;
    keel_cursor cursor_;
};

// The settings of a connection, as in the URL: keel::options().set("busy_timeout", "10s").
class options {
public:
    options() {
        keel_options *made = nullptr;
        keel_error *failure = nullptr;
        check(keel_options_new(&made), failure);
        handle_.reset(made);
    }
    options &set(std::string_view key, std::string_view value) & {
        keel_error *failure = nullptr;
        check(keel_options_set(get(), key.data(), key.size(), value.data(), value.size(), &failure), failure);
        return *this;
    }
    options &&set(std::string_view key, std::string_view value) && { return std::move(set(key, value)); }
    keel_options *get() const { return handle_.get(); }

private:
    owned<keel_options> handle_;
};

// A connection. Its destructor closes it and drops what closing would report; close() reports.
class database {
public:
    // DATABASE_URL, then file:data/sqlite.db.
    database() : handle_(open(nullptr, 0, nullptr)) {}
    explicit database(std::string_view url) : handle_(open(pointer(url), url.size(), nullptr)) {}
    database(std::string_view url, const options &with) : handle_(open(pointer(url), url.size(), with.get())) {}
    // Takes over a handle of the C functions.
    explicit database(keel_db *handle) : handle_(handle) {}

    // Runs a script; what ran before an error stays. exec_atomic: all of it or nothing.
    void exec(std::string_view sql) { call(keel_exec, sql); }
    void exec_atomic(std::string_view sql) { call(keel_exec_atomic, sql); }

    // Runs one statement with a value for each of its parameters: integers, doubles, anything that converts to
    // std::string_view, keel::blob, nullptr or std::nullopt for NULL, a std::optional of these.
    template <class... T> rows query(std::string_view sql, const T &...values) { return query_batches(0, sql, values...); }

    // As query, in batches of about so many bytes. Until the last row is read or the rows end, a read transaction is open.
    template <class... T> rows query_batches(std::uint64_t batch_bytes, std::string_view sql, const T &...values) {
        packer packed(sizeof...(values));
        (packed.value(values), ...);
        return packed.run(get(), batch_bytes, sql, sizeof...(values) != 0);
    }

    // Another connection to the same file, with a transaction of its own; another owner of this same connection.
    database sibling() const { return database(from(keel_sibling)); }
    database retain() const { return database(from(keel_retain)); }

    // Closes and throws what closing has hit. The object is empty afterwards.
    void close() {
        keel_error *failure = nullptr;
        // keel_close ends the handle whatever it reports, except in a callback and in a forked child.
        const std::int32_t code = keel_close(get(), &failure);
        if (code != 21 && code != KEEL_E_FORKED) handle_.release();
        check(code, failure);
    }

    rows report() const { return rows(from(keel_report)); }
    rows diagnose() const { return rows(from(keel_diagnose)); }
    rows holders() const { return rows(from(keel_holders)); }
    void interrupt() const noexcept { keel_interrupt(get()); }

    keel_db *get() const { return handle_.get(); }
    // SQLite's own handle, for everything that <litekeel/sqlite3.h> offers; borrowed.
    sqlite3 *sqlite() const { return keel_sqlite3(get()); }
    // Throws the explained error for what a sqlite3_ function on that handle returned, unless it is a success.
    void check_sqlite(std::int32_t rc) const {
        keel_error *failure = nullptr;
        check(keel_explain(get(), rc, &failure), failure);
    }

private:
    static keel_db *open(const char *url, std::size_t len, const keel_options *with) {
        keel_db *made = nullptr;
        keel_error *failure = nullptr;
        check(keel_open_with(url, len, with, &made, &failure), failure);
        return made;
    }

    // An empty view may have no pointer, which the C functions would take for "none".
    static const char *pointer(std::string_view text) { return text.empty() ? "" : text.data(); }

    void call(std::int32_t (*function)(keel_db *, const char *, std::size_t, keel_error **), std::string_view sql) {
        keel_error *failure = nullptr;
        check(function(get(), pointer(sql), sql.size(), &failure), failure);
    }

    template <class T> T *from(std::int32_t (*function)(keel_db *, T **, keel_error **)) const {
        T *made = nullptr;
        keel_error *failure = nullptr;
        check(function(get(), &made, &failure), failure);
        return made;
    }

    // One row of parameters.
    class packer {
    public:
        explicit packer(std::size_t count) {
            if (count != 0) require(keel_private_row(&params_, count));
        }
        packer(const packer &) = delete;
        packer &operator=(const packer &) = delete;
        ~packer() { keel_params_free(&params_); }

        template <class T> void value(const T &given) {
            if constexpr (is_optional<T>::value) {
                if (given) value(*given);
                else put(KEEL_NULL, nullptr, 0, 0);
            } else if constexpr (std::is_same_v<T, std::nullptr_t> || std::is_same_v<T, std::nullopt_t>) {
                put(KEEL_NULL, nullptr, 0, 0);
            } else if constexpr (std::is_floating_point_v<T>) {
                const double real = static_cast<double>(given);
                std::uint64_t bits;
                std::memcpy(&bits, &real, 8);
                put(KEEL_FLOAT, nullptr, 0, bits);
            } else if constexpr (std::is_integral_v<T>) {
                if (std::is_unsigned_v<T> && static_cast<std::uint64_t>(given) > INT64_MAX)
                    throw std::out_of_range(std::to_string(given) + " is larger than SQLite's integers");
                put(KEEL_INTEGER, nullptr, 0, static_cast<std::uint64_t>(static_cast<std::int64_t>(given)));
            } else if constexpr (std::is_same_v<T, blob>) {
                put(given.data ? KEEL_BLOB : KEEL_NULL, given.data, given.size, 0);
            } else if constexpr (std::is_same_v<T, const char *> || std::is_same_v<T, char *>) {
                if (given) value(std::string_view(given));
                else put(KEEL_NULL, nullptr, 0, 0);
            } else {
                const std::string_view text = given;
                put(KEEL_TEXT, text.data(), text.size(), 0);
            }
        }

        rows run(keel_db *db, std::uint64_t batch_bytes, std::string_view sql, bool any) {
            std::size_t len = 0;
            const void *data = any ? keel_params_data(&params_, &len) : nullptr;
            if (params_.code != 0) throw error(params_.code, nullptr);
            keel_rows *made = nullptr;
            keel_error *failure = nullptr;
            check(keel_query(db, pointer(sql), sql.size(), data, len, batch_bytes, &made, &failure), failure);
            return rows(made);
        }

    private:
        void put(std::uint32_t type, const void *data, std::size_t size, std::uint64_t payload) {
            require(keel_private_cell(&params_, type, data, size, payload));
            params_.values++;
        }
        static void require(std::int32_t code) {
            if (code != 0) throw error(code, nullptr);
        }

        keel_params params_ = KEEL_PARAMS;
    };

    owned<keel_db> handle_;
};

// A transaction that is rolled back at the end of the scope, unless it was committed.
class transaction {
public:
    explicit transaction(database &db, std::int32_t mode = KEEL_DEFAULT) : db_(db.get()) {
        keel_error *failure = nullptr;
        check(keel_begin(db_, mode, &failure), failure);
    }
    transaction(const transaction &) = delete;
    transaction &operator=(const transaction &) = delete;
    ~transaction() {
        if (db_) keel_rollback(db_, nullptr);
    }
    // After a failure, SQLITE_BUSY for example, it can be tried again or left to the end of the scope.
    void commit() {
        keel_error *failure = nullptr;
        check(keel_commit(db_, &failure), failure);
        db_ = nullptr;
    }
    void rollback() {
        keel_error *failure = nullptr;
        check(keel_rollback(std::exchange(db_, nullptr), &failure), failure);
    }

private:
    keel_db *db_;
};

} // namespace keel

#endif // LITEKEEL_HPP
