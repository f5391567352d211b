import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.Statement;
import java.util.Scanner;

/** sqlite-jdbc in a process of its own: opens, reads, then obeys one word a line. `java -cp JARS Jdbc.java DATABASE` */
class Jdbc {
    public static void main(String[] arguments) throws Exception {
        Connection db = DriverManager.getConnection("jdbc:sqlite:" + arguments[0]);
        try (Statement statement = db.createStatement(); ResultSet rows = statement.executeQuery("SELECT count(*) FROM visit")) {
            rows.next();
            System.out.println(db.getMetaData().getDriverVersion() + " " + rows.getInt(1));
        }
        Scanner words = new Scanner(System.in);
        while (words.hasNextLine()) {
            try {
                if (words.nextLine().equals("write")) {
                    try (Statement statement = db.createStatement()) {
                        statement.executeUpdate("INSERT INTO visit(who) VALUES('neighbour')");
                    }
                } else {
                    db.close();
                }
                System.out.println("done");
            } catch (Exception error) {
                System.out.println(error.toString().split("\n")[0]);
            }
        }
    }
}
