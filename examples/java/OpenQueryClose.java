// litekeel from Java, through JNA: open, one query with packed rows, close.
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

    /** All rows of a statement, decoded from one flat buffer. */
    static List<List<Object>> query(Pointer db, String sql) {
        byte[] text = sql.getBytes(StandardCharsets.UTF_8);
        PointerByReference out = new PointerByReference();
        check(error -> KEEL.keel_query(db, text, text.length, null, 0, 0, out, error));
        LongByReference size = new LongByReference();
        Pointer data = KEEL.keel_rows_data(out.getValue(), size);
        ByteBuffer table = data.getByteBuffer(0, size.getValue()).order(ByteOrder.nativeOrder());
        int columns = table.getInt(12), cells = (int) table.getLong(48);
        List<List<Object>> rows = new ArrayList<>();
        for (int row = 0; row < table.getLong(16); row++) {
            List<Object> values = new ArrayList<>();
            for (int column = 0; column < columns; column++) values.add(cell(table, cells + (row * columns + column) * 16));
            rows.add(values);
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
        query(db, "INSERT INTO visit VALUES('Ada', 1843.5, x'00ff'), ('Grace', NULL, NULL)");
        query(db, "SELECT rowid, who, at, note FROM visit").forEach(row -> System.out.println("java: " + row));
        try {
            open("file:app.db?busy_timeot=5");
        } catch (KeelException refusal) {
            System.out.println("java: refused: " + refusal.getMessage());
        }
        check(error -> KEEL.keel_close(db, error));
        System.out.println("java: closed, -wal left: " + Files.exists(Path.of("java-data/app.db-wal")));
    }
}
