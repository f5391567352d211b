// litekeel from Java, through JNA: open, statements with parameters, rows, close. Java 17 or later.
//   java -cp jna.jar OpenQueryClose.java

import com.sun.jna.Library;
import com.sun.jna.Native;
import com.sun.jna.Pointer;
import com.sun.jna.ptr.LongByReference;
import com.sun.jna.ptr.PointerByReference;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

public class OpenQueryClose {
    /** size_t is a long on 64-bit systems; a handle is an opaque pointer. */
    interface Keel extends Library {
        int keel_open(byte[] url, long length, PointerByReference out, PointerByReference error);
        int keel_query(Pointer db, byte[] sql, long length, Pointer params, long paramsLength, long batchBytes,
            PointerByReference out, PointerByReference error);
        Pointer keel_rows_data(Pointer rows, LongByReference length);
        void keel_rows_free(Pointer rows);
        int keel_close(Pointer db, PointerByReference error);
        String keel_error_name(Pointer error);
        String keel_error_message(Pointer error, LongByReference length);
        String keel_error_hint(Pointer error, LongByReference length);
        void keel_error_free(Pointer error);
    }

    static final Keel KEEL = Native.load(
        System.getenv().getOrDefault("LITEKEEL_LIBRARY", "litekeel"), Keel.class,
        java.util.Map.of(Library.OPTION_STRING_ENCODING, "UTF-8"));

    static class KeelException extends RuntimeException {
        KeelException(Pointer error) {
            super("%s: %s (%s)".formatted(KEEL.keel_error_name(error), KEEL.keel_error_message(error, null),
                KEEL.keel_error_hint(error, null)));
            KEEL.keel_error_free(error);
        }
    }

    interface Call {
        int with(PointerByReference error);
    }

    static void check(Call call) {
        PointerByReference error = new PointerByReference();
        if (call.with(error) != 0) throw new KeelException(error.getValue());
    }

    static Pointer open(String url) {
        byte[] text = url.getBytes(StandardCharsets.UTF_8);
        PointerByReference db = new PointerByReference();
        check(error -> KEEL.keel_open(text, text.length, db, error));
        return db.getValue();
    }

    /** One row of parameters, packed as litekeel.h describes the table. */
    static ByteBuffer encode(Object... values) {
        int heapAt = 64 + 2 * 16 * values.length, length = heapAt;
        byte[][] bytes = new byte[values.length][];
        for (int i = 0; i < values.length; i++) {
            if (values[i] instanceof String text) bytes[i] = text.getBytes(StandardCharsets.UTF_8);
            if (values[i] instanceof byte[] blob) bytes[i] = blob;
            if (bytes[i] != null) length += bytes[i].length;
        }
        ByteBuffer table = ByteBuffer.allocateDirect(length).order(ByteOrder.nativeOrder());
        table.putInt(0x4C45454B).putInt(1).putInt(0).putInt(values.length).putLong(1).putLong(0).putLong(0);
        table.putLong(64).putLong(64 + 16 * values.length).putLong(length);
        for (int i = 0; i < values.length; i++) table.putInt(3).putInt(0).putLong(heapAt); // no name: bound by position
        int at = heapAt;
        for (int i = 0; i < values.length; i++) {
            Object value = values[i];
            if (value == null) table.putInt(5).putInt(0).putLong(0);
            else if (value instanceof Boolean is) table.putInt(1).putInt(0).putLong(is ? 1 : 0);
            else if (value instanceof Integer || value instanceof Long) table.putInt(1).putInt(0).putLong(((Number) value).longValue());
            else if (value instanceof Double number) table.putInt(2).putInt(0).putDouble(number);
            else if (bytes[i] != null) table.putInt(value instanceof String ? 3 : 4).putInt(bytes[i].length).putLong(at);
            else throw new IllegalArgumentException("a parameter is a " + value.getClass().getName()
                + "; pass null, Boolean, Integer, Long, Double, String or byte[]");
            if (bytes[i] == null) continue;
            table.put(at, bytes[i]);
            at += bytes[i].length;
        }
        return table;
    }

    /** Runs a statement with a value for each of its parameters; all rows, decoded from one flat buffer. */
    static List<List<Object>> query(Pointer db, String sql, Object... values) {
        byte[] text = sql.getBytes(StandardCharsets.UTF_8);
        PointerByReference out = new PointerByReference();
        ByteBuffer packed = values.length == 0 ? null : encode(values);
        Pointer params = packed == null ? null : Native.getDirectBufferPointer(packed);
        long length = packed == null ? 0 : packed.capacity();
        check(error -> KEEL.keel_query(db, text, text.length, params, length, 0, out, error));
        java.lang.ref.Reference.reachabilityFence(packed);
        LongByReference size = new LongByReference();
        Pointer data = KEEL.keel_rows_data(out.getValue(), size);
        ByteBuffer table = data.getByteBuffer(0, size.getValue()).order(ByteOrder.nativeOrder());
        int columns = table.getInt(12), cells = (int) table.getLong(48);
        List<List<Object>> rows = new ArrayList<>();
        for (int row = 0; row < table.getLong(16); row++) {
            List<Object> line = new ArrayList<>();
            for (int column = 0; column < columns; column++) line.add(cell(table, cells + (row * columns + column) * 16));
            rows.add(line);
        }
        KEEL.keel_rows_free(out.getValue());
        return rows;
    }

    static Object cell(ByteBuffer table, int at) {
        int kind = table.getInt(at);
        if (kind == 1) return table.getLong(at + 8);
        if (kind == 2) return table.getDouble(at + 8);
        if (kind == 5) return null;
        byte[] bytes = new byte[table.getInt(at + 4)];
        table.get((int) table.getLong(at + 8), bytes);
        return kind == 3 ? new String(bytes, StandardCharsets.UTF_8) : java.util.HexFormat.of().formatHex(bytes);
    }

    public static void main(String[] arguments) {
        Pointer db = open("file:java-data/app.db");
        query(db, "CREATE TABLE IF NOT EXISTS visit(who TEXT, at REAL, note BLOB)");
        query(db, "INSERT INTO visit VALUES(?, ?, ?)", "Ada", 1843.5, new byte[] {0, -1});
        query(db, "INSERT INTO visit VALUES(?, ?, ?)", "Grace", null, null);
        query(db, "SELECT rowid, who, at, note FROM visit WHERE rowid > ?", 0).forEach(row -> System.out.println("java: " + row));
        try {
            open("file:app.db?busy_timeot=5");
        } catch (KeelException refusal) {
            System.out.println("java: refused: " + refusal.getMessage());
        }
        check(error -> KEEL.keel_close(db, error));
        System.out.println("java: closed, -wal left: " + Files.exists(Path.of("java-data/app.db-wal")));
    }
}
