using System.Globalization;

namespace TensorCompress.Comparison;

/// <summary>What every verb takes.</summary>
/// <param name="OpenBlas">File or name of the OpenBLAS library.</param>
/// <param name="Threads">Thread counts to measure.</param>
/// <param name="Sizes">Sizes to measure instead of the verb's own; null for those.</param>
/// <param name="Rounds">Interleaved rounds a figure is the median of; null for the verb's own choice.</param>
/// <param name="Tokenizer">Tokenizer file or folder.</param>
/// <param name="Texts">Folder of texts.</param>
/// <param name="Model">Checkpoint folder or GGUF file.</param>
/// <param name="Text">Calibration text.</param>
/// <param name="Evaluation">Text to measure on.</param>
/// <param name="Tokens">Tokens to calibrate on.</param>
/// <param name="EvaluationTokens">Tokens to measure on.</param>
/// <param name="Methods">What to compare instead of all: names of a table's rows, or compression methods with their options.</param>
/// <param name="Layers">What the names of layers hold that count; null for all.</param>
/// <param name="Formats">Weight formats to measure, by how their names begin; null for all.</param>
/// <param name="Output">File to write a picture to.</param>
/// <param name="Resume">A table that an earlier run printed.</param>
internal sealed record Options(
    string OpenBlas, IReadOnlyList<int> Threads, IReadOnlyList<int>? Sizes, int? Rounds, string? Tokenizer = null, string? Texts = null, string? Model = null, string? Text = null,
    string? Evaluation = null, int? Tokens = null, int? EvaluationTokens = null, IReadOnlyList<string>? Methods = null, string? Layers = null, IReadOnlyList<string>? Formats = null,
    string? Output = null, string? Resume = null)
{
    public const string Usage = "[--openblas FILE] [--threads 1,2] [--sizes 512,1024] [--rounds N] [--tokenizer FILE] [--texts FOLDER] [--model MODEL] [--text FILE]"
        + " [--evaluation FILE] [--tokens N] [--evaluation-tokens N] [--methods ROW,... or METHOD:OPTION=VALUE,...] [--layers NAME] [--formats f32,int4] [--output FILE] [--resume FILE]";

    public static Options Parse(ReadOnlySpan<string> args)
    {
        var options = new Options("libopenblas.so.0", [1, 2], null, null);
        for (int i = 0; i < args.Length; i += 2)
        {
            string value = i + 1 < args.Length ? args[i + 1] : throw new ArgumentException($"{args[i]} needs a value. {Usage}");
            options = args[i] switch
            {
                "--openblas" => options with { OpenBlas = value },
                "--threads" => options with { Threads = Numbers(value) },
                "--sizes" => options with { Sizes = Numbers(value) },
                "--rounds" => options with { Rounds = Numbers(value)[0] },
                "--model" => options with { Model = value },
                "--methods" => options with { Methods = value.Split(',') },
                "--layers" => options with { Layers = value },
                "--text" => options with { Text = value },
                "--evaluation" => options with { Evaluation = value },
                "--tokens" => options with { Tokens = Numbers(value)[0] },
                "--evaluation-tokens" => options with { EvaluationTokens = Numbers(value)[0] },
                "--tokenizer" => options with { Tokenizer = value },
                "--texts" => options with { Texts = value },
                "--output" => options with { Output = value },
                "--resume" => options with { Resume = value },
                "--formats" => options with { Formats = value.Split(',') },
                _ => throw new ArgumentException($"{args[i]} is not known. {Usage}"),
            };
        }

        return options;
    }

    private static int[] Numbers(string text)
    {
        int[] numbers = [.. text.Split(',').Select(part => int.TryParse(part, CultureInfo.InvariantCulture, out int number) ? number : 0)];
        return numbers.All(number => number > 0) ? numbers : throw new ArgumentException($"\"{text}\" is not a list of positive numbers.");
    }
}
