import java.lang.management.ManagementFactory
import java.nio.file.{Files, Path, Paths}
import java.nio.file.attribute.FileTime
import java.util.concurrent.{ConcurrentHashMap, CountDownLatch}
import scala.collection.mutable.ArrayBuffer

import org.apache.spark.{HashPartitioner, SparkConf, SparkContext}
import org.apache.spark.streaming._
import org.apache.spark.storage.StorageLevel
import org.apache.spark.streaming.dstream.{ConstantInputDStream, DStream}
import org.apache.spark.streaming.scheduler._

/** Spark Streaming's side of the comparison: a DStream of text files on two cores, a batch a second.
  *
  * {{{Rival WORK FOLDER LINES_A_FILE SCRATCH NEEDLE WARM HOLD}}}
  *
  * FOLDER has the files with lines; each second some of them are linked into the folder that is watched. How many, is
  * changed in the first WARM batches, until processing takes most of the interval. Then HOLD batches are measured. Prints
  * `RESULT {…}`.
  *
  * For `grep-memory` each batch has the lines of all files, which lie in memory as objects.
  */
object Rival {
  val interval = Milliseconds(1000)
  /** The share of the interval that processing is to take. */
  val share = 0.85
  val users = 1000000

  def main(arguments: Array[String]): Unit = {
    val Array(work, folder, linesAFile, scratch, needle, warm, hold) = arguments
    val conf = new SparkConf().setMaster("local[2]").setAppName("rival").set("spark.ui.enabled", "false")
      .set("spark.driver.bindAddress", "127.0.0.1").set("spark.driver.host", "127.0.0.1")
      .set("spark.default.parallelism", "2").set("spark.locality.wait", "0")
    val context = new SparkContext(conf)
    context.setLogLevel("ERROR")
    val streaming = new StreamingContext(context, interval)
    streaming.checkpoint(s"$scratch/checkpoint")
    val input = if (work == "grep-memory") {
      val lines = context.textFile(s"file://$folder").coalesce(2).persist(StorageLevel.MEMORY_ONLY)
      run("grep", new ConstantInputDStream(streaming, lines), needle)
      new InMemory(lines.count())
    } else {
      val watched = Files.createDirectories(Paths.get(scratch, "watched"))
      run(work, streaming.textFileStream(s"file://$watched"), needle)
      new Feeder(Paths.get(folder), watched, linesAFile.toInt)
    }
    val measured = new Measured(input, warm.toInt, hold.toInt)
    streaming.addStreamingListener(measured)
    streaming.start()
    input.start()
    measured.done.await()
    println(measured.result)
    System.out.flush()
    // A context that is stopped waits for what is going on; nobody needs it any more.
    Runtime.getRuntime.halt(0)
  }

  def run(work: String, lines: DStream[String], needle: String): Unit = {
    def windowed = lines.flatMap(_.split(" ")).map((_, 1L))
      .reduceByKeyAndWindow(_ + _, _ - _, interval * 30, interval, 2)
    work match {
      case "grep" => lines.filter(_.contains(needle)).count().foreachRDD(_.collect())
      case "word-count" => windowed.foreachRDD(_.count())
      case "top-ten" => windowed.foreachRDD(_.top(10)(Ordering.by(_._2)))
      case "keyed-count" =>
        // All users are known from the beginning, and rows are combined before the shuffle: the fastest way there is.
        val partitioner = new HashPartitioner(2)
        val known = lines.context.sparkContext.range(0, users, 1, 2).map(user => (f"u$user%07d", 0L)).partitionBy(partitioner)
        val count = (user: String, more: Option[Long], state: State[Long]) => {
          state.update(state.getOption.getOrElse(0L) + more.getOrElse(0L))
          (user, state.get)
        }
        lines.map(line => (line.substring(0, 8), 1L)).reduceByKey(_ + _, 2)
          .mapWithState(StateSpec.function(count).initialState(known).partitioner(partitioner)).foreachRDD(_.count())
      case "keyed-update" =>
        // Looks at every user in every batch.
        val add = (more: Seq[Long], before: Option[Long]) => Option(before.getOrElse(0L) + more.sum)
        lines.map(line => (line.substring(0, 8), 1L)).updateStateByKey[Long](add, 2).foreachRDD(_.count())
    }
  }
}

/** What batches are made of. */
trait Input {
  def start(): Unit
  /** How many lines the batch of a time has. */
  def lines(time: Long): Long
  /** Makes batches larger or smaller, where that can be done. */
  def adapt(factor: Double): Unit
}

class InMemory(count: Long) extends Input {
  def start(): Unit = ()
  def lines(time: Long): Long = count
  def adapt(factor: Double): Unit = ()
}

/** Links files into a watched folder, in the middle of each interval. */
class Feeder(files: Path, watched: Path, linesAFile: Int) extends Thread with Input {
  setDaemon(true)

  @volatile private var aBatch = 4
  private val linked = new ConcurrentHashMap[Long, Long]()

  def lines(time: Long): Long = linked.getOrDefault(time, 0L)

  def adapt(factor: Double): Unit = aBatch = math.max(1, math.round(aBatch * factor).toInt)

  override def run(): Unit = {
    val all = Files.list(files).sorted().toArray.map(_.asInstanceOf[Path])
    val step = Rival.interval.milliseconds
    var due = System.currentTimeMillis / step * step + step + step / 2
    var next = 0
    while (true) {
      Thread.sleep(math.max(0, due - System.currentTimeMillis))
      due += step
      val now = aBatch
      linked.put(due / step * step, now.toLong * linesAFile)
      for (_ <- 0 until now) {
        val file = all(next % all.length)
        Files.setLastModifiedTime(file, FileTime.fromMillis(System.currentTimeMillis))
        Files.createLink(watched.resolve(f"$next%08d"), file)
        next += 1
      }
    }
  }
}

/** Adapts what comes, then measures. */
class Measured(input: Input, warm: Int, hold: Int) extends StreamingListener {
  case class Batch(lines: Long, seconds: Double, delay: Long, cpu: Double)

  val done = new CountDownLatch(1)
  private val system = ManagementFactory.getOperatingSystemMXBean.asInstanceOf[com.sun.management.OperatingSystemMXBean]
  private val batches = ArrayBuffer[Batch]()
  private var cpuBefore = 0.0

  override def onBatchCompleted(completed: StreamingListenerBatchCompleted): Unit = {
    val info = completed.batchInfo
    val cpu = system.getProcessCpuTime / 1e9
    val lines = input.lines(info.batchTime.milliseconds)
    batches += Batch(lines, info.processingDelay.get / 1000.0, info.schedulingDelay.get, cpu - cpuBefore)
    cpuBefore = cpu
    if (batches.size <= warm && batches.size % 3 == 0 && lines > 0) adapt()
    if (batches.size == warm + hold) done.countDown()
  }

  private def adapt(): Unit = {
    val last = batches.takeRight(3)
    val room = Rival.share * Rival.interval.milliseconds / 1000 / median(last.map(_.seconds).toSeq)
    val late = last.last.delay >= Rival.interval.milliseconds
    input.adapt(math.max(0.6, math.min(1.6, if (late) math.min(room, 0.8) else room)))
  }

  private def median(of: Seq[Double]) = of.sorted.apply(of.size / 2)

  def result: String = {
    val held = batches.takeRight(hold).toSeq
    val lines = held.map(_.lines).sum.toDouble
    val status = scala.io.Source.fromFile("/proc/self/status").getLines().find(_.startsWith("VmHWM"))
    val resident = status.get.split("\\s+")(1).toLong / 1024
    f"""RESULT {"rows_per_s": ${lines / held.map(_.seconds).sum}%.0f, "cpu_s_per_million": ${held.map(_.cpu).sum / lines * 1e6}%.3f, "peak_mib": $resident}"""
  }
}
