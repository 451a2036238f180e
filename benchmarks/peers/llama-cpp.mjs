// Logits and greedy ids of llama.cpp on a GGUF file, through a finished node-llama-cpp folder.
// node benchmarks/peers/llama-cpp.mjs --peer FOLDER --model FILE.gguf --ids 1,2,3 [--generate N] [-o FILE.json]
// FOLDER has node_modules/node-llama-cpp. Without it the script says so and ends with code 0. CPU only, one thread, cache in F32.
import {existsSync, writeFileSync} from "node:fs";
import {join} from "node:path";
import {pathToFileURL} from "node:url";

const options = Object.fromEntries(process.argv.slice(2).reduce((pairs, word, i, words) => (word.startsWith("-") ? [...pairs, [word.replace(/^-+/, ""), words[i + 1]]] : pairs), []));
const entry = join(options.peer ?? "", "node_modules/node-llama-cpp/dist/index.js");
if (!options.peer || !existsSync(entry)) {
    console.log("skipped: --peer names no folder with node-llama-cpp");
    process.exit(0);
}

const {getLlama, LlamaLogLevel} = await import(pathToFileURL(entry));
const llama = await getLlama({gpu: false, build: "never", progressLogs: false, logLevel: LlamaLogLevel.error});
const model = await llama.loadModel({modelPath: options.model, gpuLayers: 0});
const ids = options.ids ? options.ids.split(",").map(Number) : [...model.tokenize(options.text, true)];
const count = Number(options.generate ?? 0);
const context = await model.createContext({contextSize: ids.length + count + 8, flashAttention: false, experimentalKvCacheKeyType: "F32", experimentalKvCacheValueType: "F32", threads: 1});
const sequence = context.getSequence();
const ask = {generateNext: {logits: true}};

const logits = [];
const row = (answer) => {
    const values = [];
    for (const [id, value] of answer.next.logits) values[id] = value;
    return values;
};
for (const answer of await sequence.controlledEvaluate(ids.map((id) => [id, ask]))) logits.push(row(answer));

const greedy = [];
let last = logits.at(-1);
for (let i = 0; i < count; i++) {
    const best = last.reduce((winner, value, id) => (value > last[winner] ? id : winner), 0);
    greedy.push(best);
    last = row((await sequence.controlledEvaluate([[best, ask]]))[0]);
}

const result = {ids, logits, greedy, text: model.detokenize(greedy)};
if (options.o) writeFileSync(options.o, JSON.stringify(result));
else console.log(JSON.stringify({...result, logits: undefined}));
process.exit(0);
