import java.nio.ByteBuffer;
import java.util.*;
import java.util.concurrent.*;
import java.util.zip.*;

/** Threads, direct buffers and native zlib: what of a Java program reaches malloc. */
public class Churn {
    static long work(int seed) throws Exception {
        Random random = new Random(seed);
        long sum = 0;
        for (int round = 0; round < 60; round++) {
            byte[] bytes = new byte[20_000 + random.nextInt(50_000)];
            for (int i = 0; i < bytes.length; i++) bytes[i] = (byte) (random.nextInt(16) * (i % 3));
            Deflater deflater = new Deflater();
            deflater.setInput(bytes);
            deflater.finish();
            ByteBuffer direct = ByteBuffer.allocateDirect(100_000);
            deflater.deflate(direct);
            deflater.end();
            direct.flip();
            Inflater inflater = new Inflater();
            inflater.setInput(direct);
            byte[] back = new byte[bytes.length];
            inflater.inflate(back);
            inflater.end();
            if (!Arrays.equals(bytes, back)) throw new IllegalStateException("zlib");
            CRC32 crc = new CRC32();
            crc.update(back);
            sum += crc.getValue();
        }
        return sum;
    }

    public static void main(String[] args) throws Exception {
        ExecutorService pool = Executors.newFixedThreadPool(4);
        List<Future<Long>> sums = new ArrayList<>();
        for (int seed = 0; seed < 12; seed++) {
            int mine = seed;
            sums.add(pool.submit(() -> work(mine)));
        }
        for (Future<Long> sum : sums) System.out.println(sum.get());
        pool.shutdown();
        Map<String, Integer> words = new TreeMap<>();
        for (int i = 0; i < 100_000; i++) words.merge("w" + i * 31L % 7919, 1, Integer::sum);
        System.out.println(words.hashCode());
    }
}
