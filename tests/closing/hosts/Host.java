// Host MODE DATABASE ON: see ../README.md. Without a DATABASE litekeel is not used.
import com.sun.jna.Library;
import com.sun.jna.Native;
import com.sun.jna.Pointer;
import com.sun.jna.ptr.LongByReference;

import java.nio.charset.StandardCharsets;

public class Host {
    public interface Keel extends Library {
        int keel_open(byte[] url, long length, LongByReference out, Pointer error);
        int keel_exec(long db, byte[] sql, long length, Pointer error);
        int keel_close(long db, Pointer error);
        int keel_shutdown_on(int[] signals, long count, long grace, Pointer error);
    }

    static Keel keel;
    static volatile long db;

    static void say(String text) {
        System.out.println(text);
        System.out.flush();
    }

    static int sql(String text) {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        return keel.keel_exec(db, bytes, bytes.length, null);
    }

    static void must(int rc) {
        if (rc != 0) throw new IllegalStateException("litekeel: " + rc);
    }

    static void handle() {
        sun.misc.Signal.handle(new sun.misc.Signal("TERM"), signal -> {
            say("handler");
            System.exit(7);
        });
    }

    public static void main(String[] words) throws Exception {
        String mode = words[0], path = words[1];
        boolean used = !path.isEmpty(), on = words[2].equals("1");
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            say("hook");
            if (db != 0) sql("INSERT INTO t VALUES(2)");
        }));
        if (mode.equals("before")) handle();
        if (used) {
            keel = Native.load(System.getenv("LITEKEEL_LIBRARY"), Keel.class);
            byte[] url = ("file:" + path).getBytes(StandardCharsets.UTF_8);
            LongByReference out = new LongByReference();
            must(keel.keel_open(url, url.length, out, null));
            db = out.getValue();
            must(sql("CREATE TABLE IF NOT EXISTS t(a); INSERT INTO t VALUES(1)"));
            if (on) must(keel.keel_shutdown_on(new int[] {15, 2, 1}, 3, 2000, null));
        }
        if (mode.equals("after")) handle();
        if (mode.equals("natural")) return;
        if (mode.equals("exit")) System.exit(3);
        if (mode.equals("error")) throw new IllegalStateException("on purpose");
        if (used && mode.equals("second")) sql("BEGIN IMMEDIATE; INSERT INTO t VALUES(3)");
        say("ready");
        while (mode.equals("loop")) {
            Thread.onSpinWait();
        }
        if (used && mode.equals("long")) sql("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n");
        for (;;) Thread.sleep(1000);
    }
}
