# litekeel from Ruby, through fiddle: open, statements with parameters, rows, close. Ruby 3 or later, no gem.

require 'fiddle/import'

module Keel
  extend Fiddle::Importer
  dlload ENV.fetch('LITEKEEL_LIBRARY', 'liblitekeel.so.0')
  extern 'int keel_open(const char *, size_t, void *, void *)'
  extern 'int keel_query(void *, const char *, size_t, const char *, size_t, size_t, void *, void *)'
  extern 'void *keel_rows_data(void *, void *)'
  extern 'void keel_rows_free(void *)'
  extern 'int keel_close(void *, void *)'
  extern 'const char *keel_error_name(void *)'
  extern 'const char *keel_error_message(void *, void *)'
  extern 'const char *keel_error_hint(void *, void *)'
  extern 'void keel_error_free(void *)'

  # What a call refused: `name` is `SQLITE_BUSY` or `KEEL_…`, `hint` says what to do.
  class Error < StandardError
    attr_reader :name, :hint

    def initialize(error)
      texts = [Keel.keel_error_name(error), Keel.keel_error_message(error, nil), Keel.keel_error_hint(error, nil)]
      @name, message, @hint = texts.map { |text| text.null? ? '' : text.to_s.force_encoding('UTF-8') }
      Keel.keel_error_free(error)
      super("#{@name}: #{message}")
    end
  end

  class Database
    def initialize(url)
      @db = Database.out { |db, error| Keel.keel_open(url, url.bytesize, db, error) }
    end

    # Runs a statement with a value for each of its parameters; the rows as arrays.
    def query(sql, *values)
      packed = Database.encode(values) unless values.empty?
      rows = Database.out { |out, error| Keel.keel_query(@db, sql, sql.bytesize, packed, packed&.bytesize || 0, 0, out, error) }
      size = "\0" * 8
      data = Keel.keel_rows_data(rows, size)
      Database.decode(data[0, size.unpack1('J')])
    ensure
      Keel.keel_rows_free(rows) if rows
    end

    def close
      Database.out { |_, error| Keel.keel_close(@db, error) }
    end

    # Calls with a place for the result and one for the error.
    def self.out
      result, error = "\0" * 8, "\0" * 8
      raise Error, error.unpack1('J') unless yield(result, error).zero?

      result.unpack1('J')
    end

    # One row of parameters, packed as litekeel.h describes the table.
    def self.encode(values)
      heap = ''.b
      heap_at = 64 + 32 * values.size
      names = [3, 0, heap_at].pack('LLQ') * values.size # no name: bound by position
      cells = values.map do |value|
        case value
        when nil then [5, 0, 0].pack('LLq')
        when true, false then [1, 0, value ? 1 : 0].pack('LLq')
        when Integer
          raise RangeError, "#{value} does not fit into 64 bits" unless (-2**63...2**63).cover?(value)

          [1, 0, value].pack('LLq')
        when Float then [2, 0, value].pack('LLd')
        when String # bytes where its encoding is BINARY, else text
          blob = value.encoding == Encoding::BINARY
          bytes = blob ? value : value.encode('UTF-8').b
          cell = [blob ? 4 : 3, bytes.bytesize, heap_at + heap.bytesize].pack('LLQ')
          heap << bytes
          cell
        else raise ArgumentError, "a parameter is a #{value.class}; pass nil, true, false, an Integer, a Float or a String"
        end
      end
      [0x4C45454B, 1, 0, values.size, 1, 0, 0, 64, 64 + 16 * values.size, heap_at + heap.bytesize].pack('LLLLQqqQQQ') + names + cells.join + heap
    end

    def self.decode(table)
      columns, rows = table.unpack('@12LQ')
      at = table.unpack1('@48Q')
      Array.new(rows) do |row|
        Array.new(columns) do |column|
          from = at + (row * columns + column) * 16
          kind, length, whole = table.unpack("@#{from}LLq")
          case kind
          when 1 then whole
          when 2 then table.unpack1("@#{from + 8}d")
          when 3 then table.byteslice(whole, length).force_encoding('UTF-8')
          when 4 then table.byteslice(whole, length).b
          end
        end
      end
    end
  end
end

if $PROGRAM_NAME == __FILE__
  db = Keel::Database.new('file:ruby-data/app.db')
  db.query('CREATE TABLE IF NOT EXISTS visit(who TEXT, at REAL, note BLOB)')
  db.query('INSERT INTO visit VALUES(?, ?, ?)', 'Ada', 1843.5, "\0\xFF".b)
  db.query('INSERT INTO visit VALUES(?, ?, ?)', 'Grace', nil, nil)
  db.query('SELECT rowid, who, at, note FROM visit WHERE rowid > ?', 0).each { |row| puts "ruby: #{row}" }
  begin
    Keel::Database.new('file:app.db?busy_timeot=5')
  rescue Keel::Error => e
    puts "ruby: refused: #{e.message} (#{e.hint})"
  end
  db.close
  puts "ruby: closed, -wal left: #{File.exist?('ruby-data/app.db-wal')}"
end
