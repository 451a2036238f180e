using System.Text.Json;
using TensorCompress.Models;
using TensorCompress.Storage;
using TensorCompress.Templates;
using TensorCompress.Tests.TestKit;
using TensorCompress.Tokenization;

namespace TensorCompress.Tests.Templates;

public sealed class ChatTemplateTests
{
    private static readonly ChatMessage[] Hello = [new("user", "Hi")];

    [Fact]
    public void Special_tokens_and_messages_are_there()
    {
        var template = new ChatTemplate(
            "{{ bos_token }}{% for m in messages %}[{{ m.role }}]{{ m.content }}{{ eos_token }}{% endfor %}{% if add_generation_prompt %}[assistant]{% endif %}",
            new Dictionary<string, string> { ["bos_token"] = "<s>", ["eos_token"] = "</s>" });
        Assert.Equal("<s>[user]Hi</s>[assistant]", template.Render(Hello).Text);
        Assert.Equal("<s>[user]Hi</s>", template.Render(Hello, new ChatTemplateOptions { AddGenerationPrompt = false }).Text);
    }

    [Fact]
    public void Tools_documents_and_variables_are_json()
    {
        var template = new ChatTemplate("{{ tools|tojson }} {{ documents is none }} {{ deep.a[0] }} {{ messages[0].tool_calls[0].n }}");
        ChatMessage message = ChatMessage.FromJson(Json("""{"role": "assistant", "content": null, "tool_calls": [{"n": 1.0}]}"""));
        Assert.Null(message.Content);
        var options = new ChatTemplateOptions { Tools = Json("""[{"name": "f", "x": 1e2}]"""), Variables = new Dictionary<string, JsonElement> { ["deep"] = Json("""{"a": ["é"]}""") } };
        Assert.Equal("""[{"name": "f", "x": 100.0}] True é 1.0""", template.Render([message], options).Text);
    }

    [Fact]
    public void Named_templates_are_chosen()
    {
        var template = new ChatTemplate(new Dictionary<string, string> { ["default"] = "d", ["tool_use"] = "t", ["rag"] = "r" });
        Assert.Equal("d", template.Render(Hello).Text);
        Assert.Equal("t", template.Render(Hello, new ChatTemplateOptions { Tools = Json("[]") }).Text);
        Assert.Equal("r", template.Render(Hello, new ChatTemplateOptions { TemplateName = "rag" }).Text);
        ArgumentException fault = Assert.Throws<ArgumentException>(() => template.Render(Hello, new ChatTemplateOptions { TemplateName = "x" }));
        Assert.Contains("default, tool_use, rag", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Reasoning_is_there_under_both_names()
    {
        var template = new ChatTemplate("{{ messages[0].reasoning_content }}|{{ messages[0].thinking }}");
        Assert.Equal("r|r", template.Render([ChatMessage.FromJson(Json("""{"reasoning": "r"}"""))]).Text);
        Assert.Equal("|", template.Render([ChatMessage.FromJson(Json("""{"reasoning": "r"}"""))], new ChatTemplateOptions { CopiesReasoning = false }).Text);
    }

    [Fact]
    public void A_broken_template_fails_when_it_is_used()
    {
        var template = new ChatTemplate("{% if %}");
        Assert.Equal(TemplateErrorKind.Syntax, Assert.Throws<TemplateException>(() => template.Render(Hello)).Kind);
    }

    [Theory]
    [InlineData("""{"chat_template": "a{{ bos_token }}", "bos_token": "<s>"}""", "a<s>")]
    [InlineData("""{"chat_template": "a{{ bos_token }}", "bos_token": {"content": "<s>", "lstrip": false}}""", "a<s>")]
    [InlineData("""{"chat_template": "a{{ bos_token is defined }}", "bos_token": null}""", "aFalse")]
    [InlineData("""{"chat_template": [{"name": "x", "template": "no"}, {"name": "default", "template": "b"}]}""", "b")]
    [InlineData("""{"chat_template": [{"name": "x", "template": "only"}]}""", "only")]
    [InlineData("""{"chat_template": {"default": "c"}}""", "c")]
    [InlineData("""{"chat_template": null}""", null)]
    [InlineData("{}", null)]
    public void Tokenizer_config_holds_it_in_every_spelling(string config, string? text)
    {
        using var folder = new TemplateFolder(("tokenizer_config.json", config));
        Assert.Equal(text, ChatTemplate.ReadFolder(folder.Path)?.Render(Hello).Text);
    }

    [Fact]
    public void Files_of_their_own_come_first()
    {
        using var folder = new TemplateFolder(("tokenizer_config.json", """{"chat_template": "config", "eos_token": "</s>"}"""));
        folder.Write("chat_template.json", """{"chat_template": "json{{ eos_token }}"}""");
        Assert.Equal("json</s>", ChatTemplate.ReadFolder(folder.Path)!.Render(Hello).Text);
        folder.Write("chat_template.jinja", "jinja{{ eos_token }}\n");
        Assert.Equal("jinja</s>", ChatTemplate.ReadFolder(folder.Path)!.Render(Hello).Text);
        folder.Write("additional_chat_templates/rag.jinja", "rag");
        Assert.Equal("rag", ChatTemplate.ReadFolder(folder.Path)!.Render(Hello, new ChatTemplateOptions { TemplateName = "rag" }).Text);
    }

    [Theory]
    [InlineData("tokenizer_config.json", "", TensorFormatError.Encoding)]
    [InlineData("tokenizer_config.json", "[]", TensorFormatError.Structure)]
    [InlineData("tokenizer_config.json", """{"chat_template": 5}""", TensorFormatError.Type)]
    [InlineData("tokenizer_config.json", """{"chat_template": [5]}""", TensorFormatError.Structure)]
    [InlineData("tokenizer_config.json", """{"chat_template": [{"name": "x"}]}""", TensorFormatError.Structure)]
    [InlineData("tokenizer_config.json", """{"chat_template": [{"name": "x", "template": 1}]}""", TensorFormatError.Type)]
    [InlineData("tokenizer_config.json", """{"chat_template": [{"name": "x", "template": "a"}, {"name": "x", "template": "b"}]}""", TensorFormatError.Duplicate)]
    [InlineData("tokenizer_config.json", """{"chat_template": "a", "chat_template": "b"}""", TensorFormatError.Duplicate)]
    [InlineData("tokenizer_config.json", """{"bos_token": 1}""", TensorFormatError.Type)]
    [InlineData("tokenizer_config.json", "{\"chat_template\": \"\\ud800\"}", TensorFormatError.Encoding)]
    [InlineData("chat_template.json", "{", TensorFormatError.Encoding)]
    public void Damaged_files_are_refused(string name, string content, TensorFormatError kind)
    {
        using var folder = new TemplateFolder((name, content));
        Assert.Equal(kind, Assert.Throws<TensorFormatException>(() => ChatTemplate.ReadFolder(folder.Path)).Kind);
    }

    [Fact]
    public void A_template_file_is_utf8_and_bounded()
    {
        using var folder = new TemplateFolder(("chat_template.jinja", ""));
        File.WriteAllBytes(Path.Combine(folder.Path, "chat_template.jinja"), [0x61, 0xff]);
        Assert.Equal(TensorFormatError.Encoding, Assert.Throws<TensorFormatException>(() => ChatTemplate.ReadFolder(folder.Path)).Kind);
        File.WriteAllBytes(Path.Combine(folder.Path, "chat_template.jinja"), new byte[(4 << 20) + 1]);
        Assert.Equal(TensorFormatError.Limit, Assert.Throws<TensorFormatException>(() => ChatTemplate.ReadFolder(folder.Path)).Kind);
    }

    [Fact]
    public void Messages_are_objects()
    {
        Assert.Throws<ArgumentException>(() => ChatMessage.FromJson(Json("[]")));
        Assert.Throws<ArgumentException>(() => ChatMessage.ListFromJson(Json("{}")));
        Assert.Throws<ArgumentException>(() => JinjaTemplate.Parse("").Render(Json("[]")));
    }

    [SharedFact]
    public void Chats_of_a_model_are_rendered_and_encoded_as_by_its_makers()
    {
        using ModelCheckpoint checkpoint = ModelCheckpoint.Open(SharedData.Path("models/smollm2-135m/SmolLM2-135M-Instruct.Q4_1.gguf"));
        ChatTemplate fromGguf = checkpoint.LoadChatTemplate()!, fromFolder = ChatTemplate.ReadFolder(SharedData.Path("models/smollm2-135m/hf"))!;
        Tokenizer tokenizer = checkpoint.LoadTokenizer()!;
        Assert.Equal("<|im_end|>", fromGguf.SpecialTokens["eos_token"]);
        int count = 0;
        foreach (string line in File.ReadLines(SharedData.Path("models/smollm2-135m/golden/chat.jsonl")))
        {
            JsonElement row = Json(line);
            IReadOnlyList<ChatMessage> messages = ChatMessage.ListFromJson(row.GetProperty("messages"));
            var options = new ChatTemplateOptions { AddGenerationPrompt = row.GetProperty("add_generation_prompt").GetBoolean() };
            string text = fromGguf.Render(messages, options).Text;
            Assert.Equal(row.GetProperty("text").GetString(), text);
            Assert.Equal(text, fromFolder.Render(messages, options).Text);
            Assert.Equal(row.GetProperty("ids").EnumerateArray().Select(id => id.GetInt32()), tokenizer.Encode(text, new EncodeOptions(AddSpecialTokens: false)));
            count++;
        }

        Assert.True(count >= 6);
    }

    private static JsonElement Json(string text) => JsonDocument.Parse(text).RootElement;

    private sealed class TemplateFolder : IDisposable
    {
        private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("tensorcompress-tests-");

        public TemplateFolder((string Name, string Content) file) => Write(file.Name, file.Content);

        public string Path => _folder.FullName;

        public void Write(string name, string content)
        {
            string path = System.IO.Path.Combine(Path, name);
            Directory.CreateDirectory(System.IO.Path.GetDirectoryName(path)!);
            File.WriteAllText(path, content);
        }

        public void Dispose() => _folder.Delete(recursive: true);
    }
}
