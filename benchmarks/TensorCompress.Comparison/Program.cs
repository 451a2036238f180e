using TensorCompress.Comparison;

// Verbs: each is one class with a Run(Options); a new one is a file and a line here.
Dictionary<string, Action<Options>> verbs = new()
{
    ["gemm"] = GemmComparison.Run,
    ["gemm-skinny"] = ShapeComparison.RunSkinny,
    ["syrk"] = ShapeComparison.RunSymmetric,
    ["trsm"] = ShapeComparison.RunTriangular,
    ["mpo"] = MpoComparison.Run,
    ["mpo-cells"] = MpoComparison.RunCells,
    ["mpo-curve"] = MpoComparison.RunCurve,
    ["mpo-als"] = MpoComparison.RunFit,
    ["dbf"] = DbfComparison.Run,
    ["dbf-rivals"] = DbfRivals.Run,
    ["dbf-table"] = DbfRivals.RunTable,
    ["dbf-composition"] = DbfComposition.Run,
    ["mpo-fit"] = MpoFitComparison.Run,
    ["split-races"] = SplitRaces.Run,
    ["qet"] = QetComparison.Run,
    ["qet-rivals"] = QetRivals.Run,
    ["qet-paper"] = QetPaper.Run,
    ["qet-entropy"] = WordEntropy.Run,
    ["quality"] = QualityComparison.Run,
    ["quality-bits"] = QualityComparison.RunAtBits,
    ["target"] = ModelTrials.RunTarget,
    ["mpo-bound"] = ModelTrials.RunBound,
    ["neuron-order"] = ModelTrials.RunNeuronOrder,
    ["rivals"] = RivalsComparison.Run,
    ["universal-codebooks"] = UniversalCodebooks.Run,
    ["tokenize"] = TokenizerSpeed.Run,
    ["gguf"] = GgufSpeed.Run,
    ["products"] = ProductsComparison.RunOneToken,
    ["products-few"] = ProductsComparison.RunFewTokens,
    ["products-prompt"] = ProductsComparison.RunPrompt,
    ["sign"] = SignComparison.RunOneToken,
    ["sign-prompt"] = SignComparison.RunPrompt,
    ["sign-rows"] = SignComparison.RunFewRows,
    ["sign-errors"] = SignErrors.Run,
    ["pool"] = PoolComparison.Run,
    ["load"] = LoadSpeed.Run,
    ["svd"] = SvdComparison.RunFull,
    ["svd-truncated"] = SvdComparison.RunTruncated,
    ["svd-large"] = SvdComparison.RunLarge,
};

if (args.Length == 0 || !verbs.TryGetValue(args[0], out Action<Options>? run))
{
    Console.Error.WriteLine($"usage: TensorCompress.Comparison {string.Join('|', verbs.Keys)} {Options.Usage}");
    return 2;
}

try
{
    run(Options.Parse(args.AsSpan(1)));
    return 0;
}
catch (ArgumentException fault)
{
    Console.Error.WriteLine(fault.Message);
    return 2;
}
