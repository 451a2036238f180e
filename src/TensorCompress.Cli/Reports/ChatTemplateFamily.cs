namespace TensorCompress.Cli.Reports;

/// <summary>Tells chat templates apart for people, by the marks that they put around messages.</summary>
internal static class ChatTemplateFamily
{
    // The first mark that a template holds decides; marks that others share come last.
    private static readonly (string Mark, string Family)[] Marks =
    [
        ("<|im_start|>", "ChatML"),
        ("<|start_header_id|>", "Llama 3"),
        ("<start_of_turn>", "Gemma"),
        ("<|start_of_role|>", "Granite"),
        ("<|START_OF_TURN_TOKEN|>", "Command R"),
        ("<|channel|>", "gpt-oss"),
        ("<\uFF5CUser\uFF5C>", "DeepSeek"),
        ("<<SYS>>", "Llama 2"),
        ("[INST]", "Mistral"),
        ("<|user|>", "Phi, Zephyr or OLMo"),
    ];

    /// <summary>The family.</summary>
    public static string Of(string template) => Marks.FirstOrDefault(entry => template.Contains(entry.Mark, StringComparison.Ordinal)).Family ?? "unknown marks";
}
