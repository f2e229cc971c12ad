import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.apache.kafka.common.utils.Exit;

/**
 * Runs Apache Kafka's command-line tools one after the other in one JVM. Of each two lines of the input, the first is a
 * class and its arguments with tabs between, the second is what the tool reads, with tabs for ends of lines. What it
 * prints is followed by a line that says how it ended.
 */
public class Tools {
  /** Ends a tool that wants to end the program. Some catch it, and say so. */
  static class Ended extends RuntimeException {
    @Override
    public String toString() {
      return "";
    }
  }

  static Integer status;

  public static void main(String[] args) throws Exception {
    Exit.Procedure end = (how, message) -> {
      status = status == null ? how : status;
      throw new Ended();
    };
    Exit.setExitProcedure(end);
    Exit.setHaltProcedure(end);
    List<Runnable> hooks = new ArrayList<>();
    Exit.setShutdownHookAdder((name, hook) -> hooks.add(hook));
    PrintStream answers = System.out;
    BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String line; (line = in.readLine()) != null; ) {
      String[] words = line.split("\t");
      System.setIn(new ByteArrayInputStream(in.readLine().replace('\t', '\n').getBytes(StandardCharsets.UTF_8)));
      ByteArrayOutputStream printed = new ByteArrayOutputStream();
      PrintStream to = new PrintStream(printed, true, "UTF-8");
      System.setOut(to);
      System.setErr(to);
      status = null;
      try {
        Class.forName(words[0]).getMethod("main", String[].class).invoke(null, (Object) Arrays.copyOfRange(words, 1, words.length));
      } catch (java.lang.reflect.InvocationTargetException e) {
        if (!(e.getCause() instanceof Ended)) {
          e.getCause().printStackTrace(to);
          status = -1;
        }
      }
      hooks.forEach(Runnable::run);
      hooks.clear();
      to.flush();
      answers.println(printed.toString("UTF-8") + "\n--- " + (status == null ? 0 : status));
      answers.flush();
    }
  }
}
