using System.CommandLine;
using TensorCompress.Inference;

namespace TensorCompress.Cli.Commands;

/// <summary>The options of verbs that generate text: how tokens are chosen and where the text ends.</summary>
internal sealed class SamplingArguments
{
    private readonly Option<int?> _maxTokens = ToolOptions.Number<int?>("--max-tokens", "N", "New tokens at most; default 256.", ToolOptions.Whole(0, int.MaxValue));
    private readonly Option<float?> _temperature = ToolOptions.Number<float?>("--temperature", "T", "Divisor of the logits; 0, the default, is greedy.", ToolOptions.Decimal);
    private readonly Option<int?> _topK = ToolOptions.Number<int?>("--top-k", "K", "Draw from the K most probable tokens; 0, the default: from all.", ToolOptions.Whole(0, int.MaxValue));
    private readonly Option<float?> _topP = ToolOptions.Number<float?>("--top-p", "P", "Draw from the most probable tokens that together reach P; default 1.", ToolOptions.Decimal);
    private readonly Option<float?> _minP = ToolOptions.Number<float?>("--min-p", "P", "Leave out tokens below this share of the best one's probability; default 0.", ToolOptions.Decimal);
    private readonly Option<ulong?> _seed = ToolOptions.Seed();
    private readonly Option<string[]> _stop = new("--stop") { HelpName = "TEXT", Description = "End before this text; may be given several times." };

    public IReadOnlyList<Option> Options => [_maxTokens, _temperature, _topK, _topP, _minP, _seed, _stop];

    public GenerationOptions Of(ParseResult arguments) => new()
    {
        MaxTokens = arguments.GetValue(_maxTokens) ?? 256,
        Sampling = new SamplingOptions
        {
            Temperature = arguments.GetValue(_temperature) ?? 0,
            TopK = arguments.GetValue(_topK) ?? 0,
            TopP = arguments.GetValue(_topP) ?? 1,
            MinP = arguments.GetValue(_minP) ?? 0,
            Seed = arguments.GetValue(_seed) ?? 0,
        },
        StopTexts = arguments.GetValue(_stop) ?? [],
    };
}
