#!/usr/bin/env bash
# sqlite-jdbc 3.54.1.0 (Maven, org.xerial; needs Java and mvn): `setQueryTimeout(1)` does not end a statement that runs longer: this one reads 30 rows with a function that takes 0.1 s
# for each. A guess beforehand was an SQLTimeoutException after a second.
# Seen: "30 rows, no timeout".
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
for jar in org.xerial:sqlite-jdbc:3.54.1.0 org.slf4j:slf4j-api:2.0.17; do mvn -q -B dependency:copy -Dartifact="$jar" -DoutputDirectory="$dir/jars"; done
cat > Slow.java <<'JAVA'
import java.sql.*;
import org.sqlite.Function;

class Slow {
	public static void main(String[] arguments) throws SQLException {
		Connection db = DriverManager.getConnection("jdbc:sqlite::memory:");
		Function.create(db, "slow", new Function() {
			@Override
			protected void xFunc() throws SQLException {
				try {
					Thread.sleep(100);
				} catch (InterruptedException interrupted) {
					throw new SQLException(interrupted);
				}
				result(1);
			}
		});
		Statement statement = db.createStatement();
		statement.setQueryTimeout(1);
		try {
			ResultSet rows = statement.executeQuery("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 30) SELECT sum(slow()) FROM n");
			rows.next();
			System.out.println(rows.getInt(1) + " rows, no timeout");
		} catch (SQLTimeoutException timeout) {
			System.out.println("a timeout");
		}
	}
}
JAVA
seen=$(java -cp "jars/*" Slow.java 2> java.log) || { cat java.log; exit 1; }
echo "$seen"
[ "$seen" = "30 rows, no timeout" ]
