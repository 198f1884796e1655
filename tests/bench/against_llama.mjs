// The work of against_llama.sh: both programs in turn, each in a process of its own, because the
// opponent's threads spin while they wait.
import { execFileSync } from "node:child_process";
import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const number = (name, fallback) => Number(process.env[name] ?? fallback);
const threads = number("THREADS", 2);
const repeats = number("REPEATS", 5);
const promptTokens = number("PROMPT", 128);
const generatedTokens = number("GENERATE", 64);
const program = process.env.FULGURITE ?? "build/fulgurite";
const self = fileURLToPath(import.meta.url);

const seconds = async (work) => {
  const begin = process.hrtime.bigint();
  await work();
  return Number(process.hrtime.bigint() - begin) / 1e9;
};

// Greedy generation, as fulgurite bench does it; the first evaluation is not counted.
async function opponent(model_path) {
  const require = createRequire(path.resolve(process.env.LLAMA_FOLDER, "x.js"));
  const { getLlama } = await import(pathToFileURL(require.resolve("node-llama-cpp")));
  const llama = await getLlama({
    gpu: false, build: "never", skipDownload: true, logLevel: "error", maxThreads: threads,
  });
  const prompt = Array.from({ length: promptTokens }, (_, i) => 97 + (i * 31) % 128);
  let sequence;
  const opening_s = await seconds(async () => {
    const model = await llama.loadModel({ modelPath: path.resolve(model_path), gpuLayers: 0 });
    const context = await model.createContext({
      contextSize: promptTokens + generatedTokens + 8, batchSize: 512,
      threads: { ideal: threads, min: threads },
    });
    sequence = context.getSequence();
    await sequence.evaluateWithoutGeneratingNewTokens(prompt.slice(0, 2));
  });
  await sequence.clearHistory();
  const prompt_s = await seconds(() => sequence.evaluateWithoutGeneratingNewTokens(prompt));
  const tokens = sequence.evaluate([99], { temperature: 0, yieldEogToken: true });
  await tokens.next();
  const generation_s = await seconds(async () => {
    for (let i = 0; i < generatedTokens; ++i) await tokens.next();
  });
  console.log(JSON.stringify({
    opening_ms: opening_s * 1e3,
    prompt_tokens_per_s: promptTokens / prompt_s,
    generation_tokens_per_s: generatedTokens / generation_s,
  }));
  process.exit(0);
}

const run = (command, words) => JSON.parse(
  execFileSync(command, words, { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] }));

// Of a whole process, its start among them.
const secondsOf = (command, words) => {
  const begin = process.hrtime.bigint();
  execFileSync(command, words, { stdio: "ignore" });
  return Number(process.hrtime.bigint() - begin) / 1e9;
};

const median = (values) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)];
const medians = (runs, pick) => median(runs.map(pick));

function compare(model_path) {
  const ours = [];
  const theirs = [];
  for (let i = 0; i < repeats; ++i) {
    ours.push(run(program, ["bench", "-m", model_path, "-p", `${promptTokens}`,
      "-n", `${generatedTokens}`, "-t", `${threads}`, "--taps", "live", "-r", "1", "--json"]));
    ours[i].opening_ms = 1e3 * secondsOf(program, ["run", "-m", model_path, "-p", "aa", "-n", "1",
      "--temp", "0", "-t", `${threads}`]);
    theirs.push(run(process.execPath, [self, "--opponent", model_path]));
  }
  const memory = medians(ours, (r) => r.memory_bytes_per_s);
  const bytes = ours[0].weight_bytes;
  const row = (name, generation, prompt, opening) => {
    const read = generation * bytes;
    console.log([
      name.padEnd(12), generation.toFixed(1).padStart(12), prompt.toFixed(1).padStart(10),
      opening.toFixed(0).padStart(9), (read / 1e9).toFixed(1).padStart(8),
      `${(100 * read / memory).toFixed(0)} %`.padStart(10)].join(" "));
    return [generation, prompt];
  };
  console.log(`\n${path.basename(model_path)}: ${(bytes / 1e6).toFixed(1)} MB of weights a token; `
    + `memory reads ${(memory / 1e9).toFixed(1)} GB/s; ${threads} threads; medians of ${repeats}`);
  console.log(`             generated/s   prompt/s opening ms     GB/s  of memory`);
  const [a, b] = row("fulgurite", medians(ours, (r) => r.live.generation_tokens_per_s),
    medians(ours, (r) => r.live.prompt_tokens_per_s), medians(ours, (r) => r.opening_ms));
  const [c, d] = row("llama.cpp", medians(theirs, (r) => r.generation_tokens_per_s),
    medians(theirs, (r) => r.prompt_tokens_per_s), medians(theirs, (r) => r.opening_ms));
  console.log(`ratio        ${(a / c).toFixed(2).padStart(11)} ${(b / d).toFixed(2).padStart(10)}`);
}

const [first, ...rest] = process.argv.slice(2);
if (first === "--opponent") {
  await opponent(rest[0]);
} else {
  for (const model_path of [first, ...rest]) compare(model_path);
}
