using TensorCompress.Cli;

return await Tool.RunAsync(args);
