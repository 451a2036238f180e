using System.Text.Json;
using TensorCompress.Cli.Tests.TestKit;

namespace TensorCompress.Cli.Tests;

/// <summary>The model that ships with the tool, with a chat template beside it: it continues stories whoever tells them.</summary>
public sealed class ChatTests : IDisposable
{
    private const string Template = "{% if messages[0].role == 'tool' %}{{ raise_exception('No tools, please.') }}{% endif %}{{ bos_token }}{% for m in messages %}{{ m.content }}\n{% endfor %}";

    private readonly TemporaryFolder _folder = new();

    public ChatTests()
    {
        Write("tokenizer_config.json", """{"bos_token": "<s>"}""");
        Write("chat_template.jinja", Template);
        foreach (string file in Directory.GetFiles(Stories.Scalar)) File.Copy(file, _folder.File(Path.GetFileName(file)));
    }

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Prompt_is_put_into_the_template()
    {
        JsonElement chat = ToolProcess.Run("generate", _folder.Path, "--chat", "--system", "Once", "--prompt", "One day", "--max-tokens", "4", "--json").Json();
        string input = JsonSerializer.Serialize(new { text = "<s>Once\nOne day\n", addSpecialTokens = false }) + "\n";
        JsonElement plain = JsonDocument.Parse(ToolProcess.RunWithInput(input, "tokenize", _folder.Path, "--json").Succeeds().Output).RootElement;
        Assert.Equal(plain.GetProperty("ids").GetRawText(), chat.GetProperty("promptIds").GetRawText());
        Assert.Equal(4, chat.GetProperty("ids").GetArrayLength());
    }

    [Fact]
    public void Every_line_gets_a_reply_and_the_chat_remembers_them()
    {
        ToolResult text = ToolProcess.RunWithInput("Once upon a time\nThe end\n", "chat", _folder.Path, "--max-tokens", "6").Succeeds();
        Assert.Equal(2, text.Output.TrimEnd('\n').Split('\n').Length);

        JsonElement result = ToolProcess.RunWithInput("Once upon a time\nThe end\n\nnot read\n", "chat", _folder.Path, "--system", "A story", "--max-tokens", "6", "--json").Json();
        Assert.Equal(["finishReasons", "messages", "seed"], result.EnumerateObject().Select(property => property.Name).Order());
        JsonElement[] messages = [.. result.GetProperty("messages").EnumerateArray()];
        Assert.Equal(["system", "user", "assistant", "user", "assistant"], messages.Select(message => message.GetProperty("role").GetString()));
        Assert.Equal(["length", "length"], result.GetProperty("finishReasons").EnumerateArray().Select(reason => reason.GetString()));

        // The second reply, made with what the session had seen already, is the one of the whole chat at once.
        string whole = string.Concat(messages[..4].Select(message => message.GetProperty("content").GetString() + "\n"));
        string input = JsonSerializer.Serialize(new { text = "<s>" + whole, addSpecialTokens = false }) + "\n";
        JsonElement ids = JsonDocument.Parse(ToolProcess.RunWithInput(input, "tokenize", _folder.Path, "--json").Succeeds().Output).RootElement.GetProperty("ids");
        JsonElement alone = ToolProcess.Run("generate", _folder.Path, "--prompt-ids", string.Join(',', ids.EnumerateArray()), "--max-tokens", "6", "--json").Json();
        Assert.Equal(alone.GetProperty("text").GetString(), messages[4].GetProperty("content").GetString());
    }

    [Fact]
    public void A_model_without_a_template_is_no_chat_model()
    {
        Assert.Contains("chat template", ToolProcess.Run("generate", Stories.Name, "--chat", "--prompt", "Hi").Fails(2).Error, StringComparison.Ordinal);
        Assert.Contains("chat template", ToolProcess.RunWithInput("Hi\n", "chat", Stories.Name).Fails(2).Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("{{ raise_exception('No\nchats') }}", 2, "No chats")]
    [InlineData("{% if %}", 3, "line 1")]
    [InlineData("{% for x in range(10**9) %}{% endfor %}", 3, "Limit")]
    [InlineData("{% include '/etc/passwd' %}", 3, "include")]
    public void Templates_that_fail_are_told_in_one_line(string template, int exitCode, string word)
    {
        Write("chat_template.jinja", template);
        Assert.Contains(word, ToolProcess.Run("generate", _folder.Path, "--chat", "--prompt", "Hi").Fails(exitCode).Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--chat", "--prompt-ids", "1,2")]
    [InlineData("--system", "x", "--prompt", "y")]
    public void Contradicting_options_are_refused(params string[] options) => ToolProcess.Run(["generate", _folder.Path, .. options]).Fails(2);

    [Fact]
    public void Inspect_names_the_templates()
    {
        Assert.Equal(Template.Length, ToolProcess.Run("inspect", _folder.Path, "--json").Json().GetProperty("chatTemplates").GetProperty("default").GetProperty("characters").GetInt32());
        Assert.Equal(JsonValueKind.Null, ToolProcess.Run("inspect", Stories.Name, "--json").Json().GetProperty("chatTemplates").ValueKind);
    }

    private void Write(string name, string content) => File.WriteAllText(_folder.File(name), content);
}
