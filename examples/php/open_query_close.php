<?php
// litekeel from PHP, through its FFI: open, statements with parameters, rows, close. PHP 8.1 or later with the extension ffi.
declare(strict_types=1);

/** What a call refused: `$name` is `SQLITE_BUSY` or `KEEL_…`, `$hint` says what to do. */
final class KeelError extends RuntimeException
{
    public function __construct(public readonly string $name, string $message, public readonly string $hint)
    {
        parent::__construct("$name: $message");
    }
}

final class Keel
{
    private const HEADER = <<<'C'
        typedef struct keel_db keel_db;
        typedef struct keel_rows keel_rows;
        typedef struct keel_error keel_error;
        int keel_open(const char *url, size_t length, keel_db **out, keel_error **error);
        int keel_query(keel_db *db, const char *sql, size_t length, const char *params, size_t params_length, size_t batch_bytes,
                       keel_rows **out, keel_error **error);
        const uint8_t *keel_rows_data(keel_rows *rows, size_t *length);
        void keel_rows_free(keel_rows *rows);
        int keel_close(keel_db *db, keel_error **error);
        const char *keel_error_name(keel_error *error);
        const char *keel_error_message(keel_error *error, size_t *length);
        const char *keel_error_hint(keel_error *error, size_t *length);
        void keel_error_free(keel_error *error);
        C;
    private static ?FFI $library = null;
    private FFI\CData $db;

    public function __construct(string $url)
    {
        $this->db = self::library()->new('keel_db *');
        self::check(fn ($error) => self::$library->keel_open($url, strlen($url), FFI::addr($this->db), $error));
    }

    /** Runs a statement with a value for each of its parameters; the rows as lists. A Keel::blob() is a BLOB. */
    public function query(string $sql, mixed ...$values): array
    {
        $packed = $values === [] ? null : self::encode($values);
        $rows = self::$library->new('keel_rows *');
        self::check(fn ($error) => self::$library->keel_query($this->db, $sql, strlen($sql), $packed, strlen($packed ?? ''), 0, FFI::addr($rows), $error));
        $size = self::$library->new('size_t');
        $data = self::$library->keel_rows_data($rows, FFI::addr($size));
        $table = FFI::string($data, $size->cdata);
        self::$library->keel_rows_free($rows);
        return self::decode($table);
    }

    public function close(): void
    {
        self::check(fn ($error) => self::$library->keel_close($this->db, $error));
    }

    /** A parameter that is bytes, not text. */
    public static function blob(string $bytes): object
    {
        return (object) ['bytes' => $bytes];
    }

    private static function library(): FFI
    {
        return self::$library ??= FFI::cdef(self::HEADER, getenv('LITEKEEL_LIBRARY') ?: 'liblitekeel.so.0');
    }

    private static function check(callable $call): void
    {
        $error = self::$library->new('keel_error *');
        if ($call(FFI::addr($error)) === 0) {
            return;
        }
        $failure = new KeelError(self::$library->keel_error_name($error), self::$library->keel_error_message($error, null), self::$library->keel_error_hint($error, null) ?? '');
        self::$library->keel_error_free($error);
        throw $failure;
    }

    /** One row of parameters, packed as litekeel.h describes the table. */
    private static function encode(array $values): string
    {
        $heapAt = 64 + 32 * count($values);
        [$cells, $heap] = ['', ''];
        foreach ($values as $value) {
            $bytes = is_string($value) ? $value : ($value->bytes ?? null);
            $cells .= match (true) {
                $value === null => pack('LLQ', 5, 0, 0),
                is_bool($value), is_int($value) => pack('LLq', 1, 0, (int) $value),
                is_float($value) => pack('LLd', 2, 0, $value),
                $bytes !== null => pack('LLQ', is_string($value) ? 3 : 4, strlen($bytes), $heapAt + strlen($heap)),
                default => throw new InvalidArgumentException('a parameter is a ' . get_debug_type($value) . '; pass null, bool, int, float, string or Keel::blob()'),
            };
            $heap .= $bytes ?? '';
        }
        $names = str_repeat(pack('LLQ', 3, 0, $heapAt), count($values)); // no name: bound by position
        return pack('LLLLQqqQQQ', 0x4C45454B, 1, 0, count($values), 1, 0, 0, 64, 64 + 16 * count($values), $heapAt + strlen($heap)) . $names . $cells . $heap;
    }

    private static function decode(string $table): array
    {
        ['columns' => $columns, 'rows' => $rows] = unpack('Lcolumns/Qrows', $table, 12);
        $at = unpack('Q', $table, 48)[1];
        $cell = function (int $from) use ($table): mixed {
            ['kind' => $kind, 'length' => $length, 'whole' => $whole] = unpack('Lkind/Llength/qwhole', $table, $from);
            return match ($kind) {
                1 => $whole,
                2 => unpack('d', $table, $from + 8)[1],
                3, 4 => substr($table, $whole, $length),
                5 => null,
            };
        };
        return array_map(fn ($row) => array_map(fn ($column) => $cell($at + ($row * $columns + $column) * 16), range(0, $columns - 1)), $rows === 0 ? [] : range(0, $rows - 1));
    }
}

$db = new Keel('file:php-data/app.db');
$db->query('CREATE TABLE IF NOT EXISTS visit(who TEXT, at REAL, note BLOB)');
$db->query('INSERT INTO visit VALUES(?, ?, ?)', 'Ada', 1843.5, Keel::blob("\0\xff"));
$db->query('INSERT INTO visit VALUES(?, ?, ?)', 'Grace', null, null);
foreach ($db->query('SELECT rowid, who, at, hex(note) FROM visit WHERE rowid > ?', 0) as $row) {
    echo 'php: ', json_encode($row, JSON_UNESCAPED_UNICODE | JSON_THROW_ON_ERROR), "\n";
}
try {
    new Keel('file:app.db?busy_timeot=5');
} catch (KeelError $refusal) {
    echo "php: refused: {$refusal->getMessage()} ({$refusal->hint})\n";
}
$db->close();
echo 'php: closed, -wal left: ', var_export(file_exists('php-data/app.db-wal'), true), "\n";
