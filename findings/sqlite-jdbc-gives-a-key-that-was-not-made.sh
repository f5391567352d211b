#!/usr/bin/env bash
# sqlite-jdbc 3.54.1.0 (Maven, org.xerial; needs Java and mvn): `getGeneratedKeys` after an INSERT OR IGNORE that was ignored gives the key of the insert before; `getInt` of a number above 2^31
# gives its low 32 bits; `execute` of two statements runs the first, `executeUpdate` both; a BigDecimal is stored as text. None of it with an error. Guesses
# beforehand were no key, an error, an error or both, and a number.
# Seen: "updated 0, key 2; getInt of 3000000000: -1294967296; execute: a, executeUpdate: a b; largest of 9.50 and 10.50: 9.50 (text)".
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
for jar in org.xerial:sqlite-jdbc:3.54.1.0 org.slf4j:slf4j-api:2.0.17; do mvn -q -B dependency:copy -Dartifact="$jar" -DoutputDirectory="$dir/jars"; done
cat > Keys.java <<'JAVA'
import java.math.BigDecimal;
import java.sql.*;

class Keys {
	static Connection db;

	static String one(String sql) throws SQLException {
		try (ResultSet rows = db.createStatement().executeQuery(sql)) {
			return rows.next() ? rows.getString(1) : "none";
		}
	}

	public static void main(String[] arguments) throws SQLException {
		db = DriverManager.getConnection("jdbc:sqlite::memory:");
		Statement statement = db.createStatement();
		statement.executeUpdate("CREATE TABLE user(id INTEGER PRIMARY KEY, name TEXT UNIQUE)");
		statement.executeUpdate("CREATE TABLE t(name)");
		String told = "";
		PreparedStatement insert = db.prepareStatement("INSERT OR IGNORE INTO user(name) VALUES (?)", Statement.RETURN_GENERATED_KEYS);
		for (String name : new String[] {"ann", "bob", "ann"}) {
			insert.setString(1, name);
			int updated = insert.executeUpdate();
			ResultSet keys = insert.getGeneratedKeys();
			told = "updated " + updated + ", key " + (keys.next() ? keys.getString(1) : "none");
		}
		ResultSet large = statement.executeQuery("SELECT 3000000000");
		large.next();
		told += "; getInt of 3000000000: " + large.getInt(1);
		String two = "INSERT INTO t VALUES ('a'); INSERT INTO t VALUES ('b')";
		statement.execute(two);
		told += "; execute: " + one("SELECT group_concat(name, ' ') FROM t");
		statement.executeUpdate("DELETE FROM t");
		statement.executeUpdate(two);
		told += ", executeUpdate: " + one("SELECT group_concat(name, ' ') FROM t");
		statement.executeUpdate("CREATE TABLE price(amount)");
		PreparedStatement price = db.prepareStatement("INSERT INTO price VALUES (?)");
		for (String amount : new String[] {"9.50", "10.50"}) {
			price.setBigDecimal(1, new BigDecimal(amount));
			price.executeUpdate();
		}
		told += "; largest of 9.50 and 10.50: " + one("SELECT max(amount) FROM price") + " (" + one("SELECT typeof(amount) FROM price") + ")";
		System.out.println(told);
	}
}
JAVA
seen=$(java -cp "jars/*" Keys.java 2> java.log) || { cat java.log; exit 1; }
echo "$seen"
[ "$seen" = "updated 0, key 2; getInt of 3000000000: -1294967296; execute: a, executeUpdate: a b; largest of 9.50 and 10.50: 9.50 (text)" ]
