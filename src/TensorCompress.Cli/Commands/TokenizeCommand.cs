using System.CommandLine;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using TensorCompress.Cli.Reports;
using TensorCompress.Cli.Terminal;
using TensorCompress.Models;
using TensorCompress.Models.Gguf;
using TensorCompress.Tokenization;

namespace TensorCompress.Cli.Commands;

/// <summary><c>tokenize</c>: texts to ids and back, one from the command line or many as JSON lines on standard input.</summary>
internal sealed class TokenizeCommand : ToolCommand
{
    private readonly Argument<string> _source = ToolOptions.Path<string>("MODEL|TOKENIZER", "A model, or a tokenizer file or folder.");
    private readonly Option<string> _text = new("--text") { HelpName = "TEXT", Description = "Text to encode." };
    private readonly Option<int[]?> _decode = ToolOptions.Number<int[]?>("--decode", "IDS", "Ids to decode, for instance 1,2,3.", ToolOptions.Ids);

    public TokenizeCommand()
        : base("tokenize", "Shows ids and pieces of a text. Without --text and --decode: JSON lines on standard input (text, optional special and addSpecialTokens; or ids), one line out for each.")
    {
        Add(_source);
        Add(_text);
        Add(_decode);
    }

    protected override int Run(ParseResult arguments, ToolConsole console, CancellationToken cancellationToken)
    {
        string? text = arguments.GetValue(_text);
        int[]? ids = arguments.GetValue(_decode) is { Length: > 0 } given ? given : null; // not given: an empty array
        if (text is not null && ids is not null) throw new UsageException("--text and --decode exclude each other");
        Tokenizer tokenizer = Load(arguments.GetRequiredValue(_source));
        if (text is null && ids is null) return TokenizeLines(tokenizer, cancellationToken);

        TokenizationJson result = text is not null ? Encode(tokenizer, text, new EncodeOptions()) : Decode(tokenizer, ids!, skipSpecialTokens: true);
        foreach ((int id, string piece) in result.Ids.Zip(result.Pieces)) console.WriteLine($"{id,7}  {Visible(piece)}");
        if (result.Text is not null) console.WriteLine(result.Text);
        console.WriteJson(result, ToolJson.Output.TokenizationJson);
        return ExitCode.Done;
    }

    private static Tokenizer Load(string source)
    {
        string path = BundledModels.Resolve(source);
        if (File.Exists(path) && !IsModelFile(path)) return TokenizerLoader.Load(path);
        if (File.Exists(path) && Path.GetExtension(path).Equals(".gguf", StringComparison.OrdinalIgnoreCase)) return GgufTokenizer.Load(path) ?? throw new UsageException($"there is no tokenizer in {source}");
        if (Directory.Exists(path)) return TokenizerLoader.TryLoad(path) ?? throw new UsageException($"there is no tokenizer in {source}");
        using ModelCheckpoint checkpoint = ModelCheckpoint.Open(path);
        return checkpoint.LoadTokenizer() ?? throw new UsageException($"no tokenizer lies beside {source}");
    }

    // A llama2.c model and its vocabulary both end in .bin; the vocabulary's name begins with "tok".
    private static bool IsModelFile(string path) => Path.GetExtension(path).ToLowerInvariant() switch
    {
        ".gguf" or ".safetensors" => true,
        ".bin" => !Path.GetFileName(path).StartsWith("tok", StringComparison.Ordinal),
        _ => false,
    };

    private static int TokenizeLines(Tokenizer tokenizer, CancellationToken cancellationToken)
    {
        using var input = new StreamReader(Console.OpenStandardInput());
        JsonTypeInfo<TokenizationJson> type = ToolJson.Output.TokenizationJson;
        int number = 0;
        while (input.ReadLine() is { } line)
        {
            cancellationToken.ThrowIfCancellationRequested();
            number++;
            if (line.Length == 0) continue;
            TokenizationRequestJson request = Parse(line, number);
            TokenizationJson result = request.Text is { } text
                ? Encode(tokenizer, text, new EncodeOptions(request.Special ?? true, request.AddSpecialTokens ?? true))
                : Decode(tokenizer, request.Ids!, skipSpecialTokens: !(request.Special ?? false));
            ToolConsole.Out.Write(JsonSerializer.Serialize(result, type) + "\n");
        }

        return ExitCode.Done;
    }

    private static TokenizationRequestJson Parse(string line, int number)
    {
        try
        {
            TokenizationRequestJson? request = JsonSerializer.Deserialize(line, ToolJson.Default.TokenizationRequestJson);
            if (request is not null && (request.Text is null) != (request.Ids is null)) return request;
        }
        catch (JsonException fault)
        {
            throw new UsageException($"line {number} of standard input is not a JSON object with text or ids: {fault.Message}");
        }

        throw new UsageException($"line {number} of standard input needs either text or ids");
    }

    private static TokenizationJson Encode(Tokenizer tokenizer, string text, EncodeOptions options)
    {
        int[] ids = tokenizer.Encode(text, options);
        return new TokenizationJson { Ids = ids, Pieces = [.. ids.Select(tokenizer.Piece)] };
    }

    private static TokenizationJson Decode(Tokenizer tokenizer, int[] ids, bool skipSpecialTokens) =>
        new() { Ids = ids, Pieces = [.. ids.Select(tokenizer.Piece)], Text = tokenizer.Decode(ids, skipSpecialTokens) };

    // Line ends inside a piece would tear the listing.
    private static string Visible(string piece) => piece.Replace("\n", "\\n", StringComparison.Ordinal).Replace("\r", "\\r", StringComparison.Ordinal).Replace("\t", "\\t", StringComparison.Ordinal);
}
